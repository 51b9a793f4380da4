//! How this service proves to a provider who it is.

use std::path::{Path, PathBuf};

use breakglass_config_schema::{Object, Place, Reader, Takes, object, optional, parsed};
use breakglass_types::json::Json;

use super::read::{path, scope};

/// How this service proves to a provider who it is. Files are read at each use, so that they can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// A secret, which is sent by HTTP Basic or, where the provider takes that only, in the form (RFC 6749 section 2.3.1).
    Secret(PathBuf),
    /// A JWT that is signed with this private key (RFC 7523 section 2.2, `private_key_jwt`).
    PrivateKey {
        /// PKCS #8 in PEM: P-256, P-384, Ed25519 or RSA.
        file: PathBuf,
        /// The `kid` under which the provider has its public key.
        id: String,
    },
    /// A JWT that another program keeps in this file: of Kubernetes or SPIFFE.
    Assertion(PathBuf),
    /// A client certificate (RFC 8705).
    Certificate {
        /// The certificate and its chain, in PEM.
        file: PathBuf,
        /// Its private key, in PEM.
        key_file: PathBuf,
    },
}

object! {
    /// How the service proves to a provider who it is: by `secret_file`, `private_key_file`, `assertion_file` or
    /// `certificate_file`. The files are read at each use.
    #[derive(Debug)]
    struct ClientAuthenticationFields {
        /// A file with the client's secret, without the line break at its end.
        secret_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// A PEM file (PKCS #8) with a private key of P-256, P-384, Ed25519 or RSA, with which assertions are signed
        /// (`private_key_jwt`). Each provider needs one of its own.
        private_key_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// The `kid` under which the provider has the public key.
        private_key_id: Option<String> = optional("none", parsed("text", scope)),
        /// A file with an assertion that another program keeps fresh, such as a token of Kubernetes or a JWT-SVID.
        assertion_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// A PEM file with the client certificate (mutual TLS, RFC 8705).
        certificate_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// A PEM file with its private key.
        certificate_key_file: Option<PathBuf> = optional("none", parsed("path", path)),
    }
}

impl Object for ClientAuthenticationFields {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let ways = [
            self.secret_file.is_some(),
            self.private_key_file.is_some(),
            self.assertion_file.is_some(),
            self.certificate_file.is_some(),
        ];
        let mut clean = Some(());
        let count = ways.into_iter().filter(|way| *way).count();
        if count != 1 {
            clean = place.error(format!(
                "expected exactly one of `secret_file`, `private_key_file`, `assertion_file` and `certificate_file`, \
                 got {count}"
            ));
        }
        for (name, other, is_there, other_is_there) in [
            (
                "private_key_id",
                "private_key_file",
                self.private_key_id.is_some(),
                self.private_key_file.is_some(),
            ),
            (
                "certificate_key_file",
                "certificate_file",
                self.certificate_key_file.is_some(),
                self.certificate_file.is_some(),
            ),
        ] {
            if is_there && !other_is_there {
                clean = place.field(name).error(format!("it is for `{other}`, which is not there"));
            }
            if other_is_there && !is_there {
                clean = place.field(name).error(format!("is required with `{other}`"));
            }
        }
        clean
    }
}

/// Reads the fields into the one way that they say.
#[derive(Debug)]
pub(super) struct AuthenticationReader;

impl Reader for AuthenticationReader {
    type Value = ClientAuthentication;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<ClientAuthentication> {
        match object::<ClientAuthenticationFields>().read(json, place)? {
            ClientAuthenticationFields { secret_file: Some(file), .. } => {
                Some(ClientAuthentication::Secret(file))
            }
            ClientAuthenticationFields {
                private_key_file: Some(file),
                private_key_id: Some(id),
                ..
            } => Some(ClientAuthentication::PrivateKey { file, id }),
            ClientAuthenticationFields { assertion_file: Some(file), .. } => {
                Some(ClientAuthentication::Assertion(file))
            }
            ClientAuthenticationFields {
                certificate_file: Some(file),
                certificate_key_file: Some(key_file),
                ..
            } => Some(ClientAuthentication::Certificate { file, key_file }),
            // The check reported it.
            _ => None,
        }
    }

    fn takes(&self) -> Takes {
        object::<ClientAuthenticationFields>().takes()
    }
}

impl ClientAuthentication {
    /// The private key with which assertions are signed.
    pub(super) fn private_key_file(&self) -> Option<&Path> {
        match self {
            ClientAuthentication::PrivateKey { file, .. } => Some(file),
            ClientAuthentication::Secret(_)
            | ClientAuthentication::Assertion(_)
            | ClientAuthentication::Certificate { .. } => None,
        }
    }
}

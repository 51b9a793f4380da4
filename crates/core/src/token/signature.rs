//! The seam to the cryptography: the only file that names `jwt_simple`. Another verifier (a native
//! one behind a host call, say) takes its place here and nowhere else.

use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ECDSAP384PublicKeyLike, ES256PublicKey, ES384PublicKey,
    Ed25519PublicKey, EdDSAPublicKeyLike, NoCustomClaims, PS256PublicKey, RS256PublicKey,
    RSAPublicKeyLike, Token, UnixTimeStamp, VerificationOptions,
};
use jwt_simple::{Error, JWTError};
use serde_json::json;

use crate::json::Json;

use super::Algorithm;

#[cfg(test)]
mod wycheproof;

/// Proof that a signature was checked and is the key's. Only [`PublicKey::verify`] and
/// [`Jws::verify_with`](super::Jws::verify_with) make one.
#[derive(Debug)]
pub struct ValidSignature(());

/// A public key, bound to the algorithms that it may be used with.
#[derive(Debug, Clone)]
pub struct PublicKey {
    material: Material,
    thumbprint: Thumbprint,
}

/// What tells one public key from every other one: SHA-256 over its JWK's required members (RFC 7638).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    fn of(jwk: &str) -> Thumbprint {
        Thumbprint(hmac_sha256::Hash::hash(jwk.as_bytes()))
    }
}

#[derive(Debug, Clone)]
enum Material {
    Es256(ES256PublicKey),
    Es384(ES384PublicKey),
    EdDsa(Ed25519PublicKey),
    Rs256(Box<RS256PublicKey>),
    Ps256(Box<PS256PublicKey>),
    /// An RSA key whose JWK does not say which: one value per padding.
    Rsa(Box<(RS256PublicKey, PS256PublicKey)>),
}

impl PublicKey {
    /// Reads the public members of a JWK (RFC 7518 section 6, RFC 8037 section 2); `alg`, when the
    /// JWK has one, narrows what the key may be used with. `None` for a key of another type, another
    /// curve, or a broken one.
    #[must_use]
    pub fn from_jwk(jwk: &Json, alg: Option<Algorithm>) -> Option<PublicKey> {
        let member = |name: &str| jwk.member(name).and_then(Json::as_str);
        // Only the public members are handed on, so that nothing else in a JWK has a say.
        let (jwk, material) = match (member("kty")?, member("crv"), alg) {
            ("EC", Some("P-256"), None | Some(Algorithm::Es256)) => {
                let (x, y) = (member("x")?, member("y")?);
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}).to_string();
                let key = ES256PublicKey::from_jwk(&jwk).ok()?;
                (jwk, Material::Es256(key))
            }
            ("EC", Some("P-384"), None | Some(Algorithm::Es384)) => {
                let (x, y) = (member("x")?, member("y")?);
                let jwk = json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}).to_string();
                let key = ES384PublicKey::from_jwk(&jwk).ok()?;
                (jwk, Material::Es384(key))
            }
            ("OKP", Some("Ed25519"), None | Some(Algorithm::EdDsa)) => {
                let x = member("x")?;
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x}).to_string();
                let key = Ed25519PublicKey::from_jwk(&jwk).ok()?;
                (jwk, Material::EdDsa(key))
            }
            ("RSA", None, None | Some(Algorithm::Rs256 | Algorithm::Ps256)) => {
                let (n, e) = (member("n")?, member("e")?);
                let jwk = json!({"kty": "RSA", "n": n, "e": e}).to_string();
                let rs256 = RS256PublicKey::from_jwk(&jwk).ok()?;
                let ps256 = PS256PublicKey::from_jwk(&jwk).ok()?;
                let material = match alg {
                    Some(Algorithm::Rs256) => Material::Rs256(Box::new(rs256)),
                    Some(Algorithm::Ps256) => Material::Ps256(Box::new(ps256)),
                    _ => Material::Rsa(Box::new((rs256, ps256))),
                };
                (jwk, material)
            }
            _ => return None,
        };
        Some(PublicKey { material, thumbprint: Thumbprint::of(&jwk) })
    }

    /// What tells this key from every other one, whatever its `kid` and its algorithms are.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Whether this key may be used with `algorithm`.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        match &self.material {
            Material::Es256(_) => algorithm == Algorithm::Es256,
            Material::Es384(_) => algorithm == Algorithm::Es384,
            Material::EdDsa(_) => algorithm == Algorithm::EdDsa,
            Material::Rs256(_) => algorithm == Algorithm::Rs256,
            Material::Ps256(_) => algorithm == Algorithm::Ps256,
            Material::Rsa(_) => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
        }
    }

    /// Checks the signature of `token`, a compact JWS whose `typ` is `typ`.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, token: &str, typ: &str) -> Option<ValidSignature> {
        self.check(algorithm, token, Some(typ)).ok().map(|()| ValidSignature(()))
    }

    /// Checks the signature of `token`, a compact JWS of another issuer, whatever its `typ` and its payload are: its claims
    /// are judged by the caller, on what strict JSON reads.
    pub(super) fn verify_text(
        &self,
        algorithm: Algorithm,
        token: &str,
        typ: Option<&str>,
    ) -> Option<ValidSignature> {
        self.has_signed(algorithm, token, typ).then_some(ValidSignature(()))
    }

    /// Whether `token` is signed by this key, whatever its payload is: to tell who sent it what is wrong with that, and
    /// for nothing else.
    #[must_use]
    pub(crate) fn has_signed(&self, algorithm: Algorithm, token: &str, typ: Option<&str>) -> bool {
        match self.check(algorithm, token, typ) {
            Ok(()) => true,
            // An error of the parser is the payload's if the header can be read: that comes first, and the
            // signature before the payload.
            Err(error) => error.is::<serde_json::Error>() && Token::decode_metadata(token).is_ok(),
        }
    }

    /// Checks the signature, with the library's word for what failed: the header, then the signature, then the payload.
    fn check(&self, algorithm: Algorithm, token: &str, typ: Option<&str>) -> Result<(), Error> {
        let options = Some(VerificationOptions {
            // Claims and time are judged by `verify`, with our own clock and rules; at instant zero
            // and without a look at the future none of the library's own time checks can fail.
            artificial_time: Some(UnixTimeStamp::default()),
            accept_future: true,
            time_tolerance: None,
            required_signature_type: typ.map(str::to_owned),
            max_token_length: None,
            max_header_length: Some(token.len()),
            ..VerificationOptions::default()
        });
        let verified = match (&self.material, algorithm) {
            (Material::Es256(key), Algorithm::Es256) => {
                key.verify_token::<NoCustomClaims>(token, options)
            }
            (Material::Es384(key), Algorithm::Es384) => {
                key.verify_token::<NoCustomClaims>(token, options)
            }
            (Material::EdDsa(key), Algorithm::EdDsa) => {
                key.verify_token::<NoCustomClaims>(token, options)
            }
            (Material::Rs256(key), Algorithm::Rs256) => {
                key.verify_token::<NoCustomClaims>(token, options)
            }
            (Material::Ps256(key), Algorithm::Ps256) => {
                key.verify_token::<NoCustomClaims>(token, options)
            }
            (Material::Rsa(keys), Algorithm::Rs256) => {
                keys.0.verify_token::<NoCustomClaims>(token, options)
            }
            (Material::Rsa(keys), Algorithm::Ps256) => {
                keys.1.verify_token::<NoCustomClaims>(token, options)
            }
            _ => return Err(JWTError::AlgorithmMismatch.into()),
        };
        verified.map(|_| ())
    }
}

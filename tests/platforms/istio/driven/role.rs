//! The normal control: a role, from a token of the mesh's identity provider that Istio verifies.

use breakglass_tests::client::Request;
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::tokens::Mint;
use serde_json::{Value, json};

/// Who makes these tokens.
const PROVIDER: &str = "https://idp.test";

/// An identity provider.
pub(crate) struct Provider(Key);

impl Provider {
    /// A new one, with a key of its own.
    pub(crate) fn new() -> Provider {
        Provider(Key::es256("idp"))
    }

    /// The object by which a workload, or a gateway, takes its tokens.
    pub(crate) fn authentication(&self, namespace: &str, labels: &Value) -> Value {
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication",
            "metadata": {"name": "idp", "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "jwtRules": [
                {"issuer": PROVIDER, "jwks": jwks(&[&self.0]).to_string(), "forwardOriginalToken": true}]},
        })
    }

    /// The request of somebody with the role that the shipped policies name.
    pub(crate) fn with_role(&self, request: Request) -> Request {
        let mint = Mint::new(&self.0).header("typ", "JWT").claim("iss", PROVIDER);
        let token = mint.claim("roles", json!(["orders-admin"])).without_claim("breakglass").sign();
        request.header("authorization", format!("Bearer {token}"))
    }
}

//! `GET /v1/scopes`.

use breakglass_api::scopes::Scopes;

use super::Body;

impl Body for Scopes {
    const NAME: &'static str = "a list of scopes";
}

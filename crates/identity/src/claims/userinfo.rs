//! The answer of the userinfo endpoint (OpenID Connect Core section 5.3).

use breakglass_types::json::Json;

use crate::error::ProviderError;

/// What the userinfo endpoint says about the person whose ID token it was asked with.
#[derive(Debug)]
pub struct Userinfo(Json);

impl Userinfo {
    /// Reads the body of an answer about the person with this `sub`.
    ///
    /// # Errors
    /// [`ProviderError::Wrong`]: it is no JSON object, or about another person (section 5.3.4).
    pub fn read(body: &[u8], sub: &str) -> Result<Userinfo, ProviderError> {
        let wrong = |why: &str| ProviderError::Wrong(format!("userinfo: {why}"));
        let json = Json::parse(body).map_err(|error| wrong(&error.to_string()))?;
        match json.member("sub").and_then(Json::as_str) {
            Some(found) if found == sub => Ok(Userinfo(json)),
            Some(_) => Err(wrong("`sub` is another person's than that of the ID token")),
            None => Err(wrong("expected a JSON object with `sub`")),
        }
    }

    /// All claims: a JSON object.
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.0
    }
}

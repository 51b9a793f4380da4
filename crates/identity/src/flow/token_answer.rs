//! The answer of a token endpoint (RFC 6749 sections 5.1 and 5.2, OpenID Connect Core section 3.1.3.3).

use breakglass_types::json::Json;

use crate::error::{ProviderError, Refusal};

/// The tokens that were given. What else stands in an answer (`expires_in`, which some write as text) is not needed.
#[derive(Clone)]
pub struct TokenAnswer {
    pub(super) access_token: String,
    pub(super) id_token: Option<String>,
    pub(super) refresh_token: Option<String>,
}

impl std::fmt::Debug for TokenAnswer {
    /// Without the tokens.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenAnswer")
            .field("has_id_token", &self.id_token.is_some())
            .field("has_refresh_token", &self.refresh_token.is_some())
            .finish_non_exhaustive()
    }
}

impl TokenAnswer {
    /// Reads an answer of the token endpoint.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] where it is an error of OAuth, [`ProviderError::Fault`] for another answer with a status from
    /// 500 on, else [`ProviderError::Wrong`].
    pub fn read(status: u16, body: &[u8]) -> Result<TokenAnswer, ProviderError> {
        let wrong = |why: &str| ProviderError::Wrong(format!("token endpoint: {why}"));
        let json = Json::parse(body);
        if status != 200 {
            let error = json.as_ref().ok().and_then(refusal);
            let status = || ProviderError::status("token endpoint", status);
            return Err(error.map_or_else(status, ProviderError::Refused));
        }
        let json = json.map_err(|error| wrong(&error.to_string()))?;
        // Some answer 200 with an error.
        if let Some(refusal) = refusal(&json) {
            return Err(ProviderError::Refused(refusal));
        }
        let token = |name: &str| {
            let text = json.member(name).map(|value| {
                // Tokens go into headers and forms.
                let text =
                    value.as_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
                text.filter(|text| !text.is_empty()).map(str::to_owned)
            });
            let expected = || wrong(&format!("`{name}`: expected a text of visible ASCII"));
            text.map(|text| text.ok_or_else(expected)).transpose()
        };
        let kind = json.member("token_type").and_then(Json::as_str).unwrap_or_default();
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(wrong("`token_type`: expected `Bearer`"));
        }
        Ok(TokenAnswer {
            access_token: token("access_token")?
                .ok_or_else(|| wrong("`access_token`: is required"))?,
            id_token: token("id_token")?,
            refresh_token: token("refresh_token")?,
        })
    }
}

/// An error of OAuth.
fn refusal(json: &Json) -> Option<Refusal> {
    let text = |name| json.member(name).and_then(Json::as_str);
    Some(Refusal::new(text("error")?, text("error_description")))
}

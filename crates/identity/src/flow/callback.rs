//! What a browser brings back from a provider: the query of the callback (RFC 6749 section 4.1.2, RFC 9207).

use url::form_urlencoded;

use crate::error::Refusal;
use crate::limits::MAX_CALLBACK_BYTES;

/// The query of a callback.
#[derive(Clone, Default)]
pub struct Callback {
    /// Which sign-in it is about.
    pub state: String,
    pub(super) code: Option<String>,
    pub(super) refusal: Option<Refusal>,
    pub(super) iss: Option<String>,
}

impl std::fmt::Debug for Callback {
    /// Without the code, with which a stranger could sign in.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Callback { refusal, iss, code, .. } = self;
        let has_code = code.is_some();
        formatter
            .debug_struct("Callback")
            .field("has_code", &has_code)
            .field("refusal", refusal)
            .field("iss", iss)
            .finish_non_exhaustive()
    }
}

/// The query is none that a provider sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallback {
    /// It is larger than that of any provider.
    #[error("the query of the callback: expected at most {MAX_CALLBACK_BYTES} bytes")]
    TooLarge,
    /// A parameter is there twice (RFC 6749 section 3.1).
    #[error("the query of the callback: `{0}` is there twice")]
    Twice(&'static str),
    /// It does not say which sign-in it is about.
    #[error("the query of the callback has no `state`: start the sign-in again, at this service")]
    NoState,
}

impl Callback {
    /// Reads the query of a callback, without its question mark.
    ///
    /// # Errors
    /// [`InvalidCallback`].
    pub fn from_query(query: &str) -> Result<Callback, InvalidCallback> {
        if query.len() > MAX_CALLBACK_BYTES {
            return Err(InvalidCallback::TooLarge);
        }
        let parameter = |name: &'static str| {
            let mut values =
                form_urlencoded::parse(query.as_bytes()).filter(|(one, _)| one == name);
            let value = values.next().map(|(_, value)| value.into_owned());
            match values.next() {
                Some(_) => Err(InvalidCallback::Twice(name)),
                None => Ok(value.filter(|value| !value.is_empty())),
            }
        };
        let description = parameter("error_description")?;
        let error = parameter("error")?;
        Ok(Callback {
            state: parameter("state")?.ok_or(InvalidCallback::NoState)?,
            code: parameter("code")?,
            refusal: error.map(|error| Refusal::new(&error, description.as_deref())),
            iss: parameter("iss")?,
        })
    }
}

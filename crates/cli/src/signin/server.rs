//! What the service says of itself as an authorization server (RFC 8414), as far as a client needs it.

use serde::Deserialize;
use url::Url;

use crate::answer::{Body, Whole, brief};
use crate::client::{Connection, Failure};

const PATH: &str = "/.well-known/oauth-authorization-server";

/// An authorization server.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Server {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    /// RFC 8628 section 4; older services have none.
    #[serde(default)]
    device_authorization_endpoint: Option<String>,
}

impl Body for Server {
    const NAME: &'static str = "the metadata of an authorization server (RFC 8414)";
}

/// Asks the service.
///
/// # Errors
/// [`Failure`] where people do not sign in there, or it says that it is another service.
pub(super) fn read(connection: &Connection) -> Result<Server, Failure> {
    let answer: Whole<Server> = connection.get(PATH)?;
    let server = answer.body;
    // RFC 8414 section 3.3, and so that codes and tokens go to this service alone.
    if !is_same(&server.issuer, connection.url()) {
        return Err(Failure::Invalid(format!(
            "{url} says that it is {issuer}: people sign in at that URL alone, so set `--url`, BREAKGLASS_URL or the \
             profile's `url` to it; or fix `issuer` in the service's configuration",
            url = connection.url(),
            issuer = brief(&server.issuer)
        )));
    }
    server.below("authorization_endpoint", &server.authorization_endpoint)?;
    Ok(server)
}

impl Server {
    /// The path of the endpoint for devices.
    pub(super) fn device_path(&self) -> Result<&str, Failure> {
        match &self.device_authorization_endpoint {
            Some(endpoint) => self.below("device_authorization_endpoint", endpoint),
            None => Err(Failure::Invalid(
                "`--device`: this service does not sign people in at another device, which takes a newer one; without \
                 it, open the page's address in a browser of this machine"
                    .to_owned(),
            )),
        }
    }

    /// The path of an endpoint, which has to be one of this service.
    fn below<'a>(&self, member: &str, endpoint: &'a str) -> Result<&'a str, Failure> {
        let issuer = self.issuer.trim_end_matches('/');
        let path = endpoint.strip_prefix(issuer).filter(|path| path.starts_with('/'));
        path.ok_or_else(|| {
            let got = brief(endpoint);
            Failure::Failed(format!(
                "{member}: expected a URL below `{issuer}`, got `{got}`: tell those who run the service"
            ))
        })
    }
}

/// Whether both are one service: the slash at the end, the case of the host and a default port make no difference.
fn is_same(issuer: &str, url: &str) -> bool {
    let read = |text: &str| Url::parse(text.trim_end_matches('/')).ok();
    let same = |(issuer, url): (Url, Url)| issuer == url;
    read(issuer).zip(read(url)).is_some_and(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_the_url_that_was_asked() {
        for (issuer, url, same) in [
            ("https://a.test/", "https://a.test", true),
            ("https://a.test", "https://A.test:443", true),
            ("https://a.test/x/", "https://a.test/x", true),
            ("https://a.test/x", "https://a.test", false),
            ("http://a.test", "https://a.test", false),
            ("https://b.test", "https://a.test", false),
            ("https://a.test.evil.test", "https://a.test", false),
            ("", "https://a.test", false),
        ] {
            assert_eq!(is_same(issuer, url), same, "{issuer} {url}");
        }
    }

    #[test]
    fn an_endpoint_is_one_of_the_issuer() {
        let server = Server {
            issuer: "https://a.test/".to_owned(),
            authorization_endpoint: String::new(),
            device_authorization_endpoint: None,
        };
        assert_eq!(server.below("m", "https://a.test/oauth2/x").unwrap(), "/oauth2/x");
        for endpoint in ["https://a.test", "https://a.test.evil.test/", "https://b.test/x", "/x"] {
            assert!(server.below("m", endpoint).is_err(), "{endpoint}");
        }
        assert!(server.device_path().is_err());
    }
}

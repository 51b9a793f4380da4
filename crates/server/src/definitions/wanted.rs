//! Which definitions cover a request, by the rules of the filter.

use breakglass_core::policy::{HostName, PlainPath, RequestedUpgrades, is_method};

use super::definition::{Definition, scope};

/// A request that somebody wants to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    method: String,
    path: String,
    host: Option<HostName>,
}

/// A field that is wrong, and what was expected.
pub type WantedError = (&'static str, String);

impl Wanted {
    /// Reads `POST /v1/orders`, and a host.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn read(request: &str, host: Option<&str>) -> Result<Wanted, WantedError> {
        let expected = || {
            let message = "expected a method in upper case and a path, such as `POST /v1/orders`";
            ("for", message.to_owned())
        };
        let (method, path) = request.split_once(' ').ok_or_else(expected)?;
        if !is_method(method) {
            return Err(expected());
        }
        // The query decides nothing.
        let path = path.split('?').next().unwrap_or_default();
        if PlainPath::parse(path.as_bytes()).is_err() {
            let message = "expected a path that can be read in one way: no grant covers another one \
                           (`ambiguous_path`)";
            return Err(("for", message.to_owned()));
        }
        let host = match host {
            None => None,
            Some(host) => Some(HostName::from_authority(host.as_bytes()).ok_or_else(|| {
                ("host", "expected a host, such as `orders.internal`".to_owned())
            })?),
        };
        Ok(Wanted { method: method.to_owned(), path: path.to_owned(), host })
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_ref().map(HostName::as_str)
    }
}

impl Definition {
    /// Whether a filter with these rules would cover the request, on some route, and on some host if it says none.
    #[must_use]
    pub fn covers(&self, wanted: &Wanted) -> bool {
        let mut rules = self.rules.clone();
        rules.routes = None;
        if wanted.host.is_none() {
            rules.hosts = None;
        }
        let (Ok(scope), Ok(path)) =
            (scope("wanted", &rules), PlainPath::parse(wanted.path.as_bytes()))
        else {
            return false;
        };
        let upgrades = RequestedUpgrades::read(&[]);
        scope.covers(wanted.host.as_ref(), None, &wanted.method, &path, &upgrades).is_some()
    }
}

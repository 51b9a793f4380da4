//! The route that Envoy used for a request, beside the one by which the request was judged.
//!
//! Envoy chooses a route when a filter first asks for it, and again after any filter has cleared the route cache;
//! each header that this filter removes or sets clears it. What is read while a request is decided is the route of
//! the request as it came. What is read when its response begins, and in the log, is the route that was used.

use crate::request::{Attributes, Facts};

/// What is known of the route that was used.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum RouteUsed {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is the one that was judged.
    AsJudged,
    /// It is another one: its name. `None` is a route without a name, or none at all.
    Other(Option<String>),
}

impl Facts {
    /// Whether it was asked which route was used.
    pub(crate) fn is_route_used_known(&self) -> bool {
        self.route_used != RouteUsed::Unknown
    }

    /// Asks which route was used.
    pub(crate) fn ask_route_used(&mut self, attributes: &dyn Attributes) {
        let used = attributes.route_name().and_then(|name| String::from_utf8(name).ok());
        self.route_used =
            if used == self.route { RouteUsed::AsJudged } else { RouteUsed::Other(used) };
    }

    /// The route that was used, where it is known to be another than the judged one.
    pub(crate) fn other_route(&self) -> Option<Option<&str>> {
        match &self.route_used {
            RouteUsed::Other(name) => Some(name.as_deref()),
            RouteUsed::Unknown | RouteUsed::AsJudged => None,
        }
    }
}

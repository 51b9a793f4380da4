//! The route that Envoy used for a request, beside the one by which the request was judged.
//!
//! Envoy chooses a route when a filter first asks for it, and again after any filter has cleared the route cache;
//! each header that this filter removes or sets clears it. What is read while a request is decided is the route of
//! the request as it came. What is read when its response begins, and in the log, is the route that was used.

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

//! What a request is (host, method, path), and the rules that cover it.
//!
//! Two sides, two ways to look at a path:
//! - *allowing* ([`Scope`]) takes only a [`PlainPath`], which every upstream reads in the same way;
//! - *refusing* ([`Rule`]) takes [`Readings`], every way in which an upstream might read it.

mod approved;
mod host;
mod method;
mod path;
mod readings;
mod redirect;
mod rule;
mod scope;
mod scope_rules;
mod second;
mod source;
mod template;
mod unmet;
mod upgrade;

pub use host::{HostName, HostPattern};
pub(crate) use method::is_registered;
pub use method::{OVERRIDE_HEADERS, is_method};
pub use path::{AmbiguousPath, PlainPath};
pub use readings::Readings;
pub(crate) use redirect::Origin;
pub use rule::Rule;
pub(crate) use rule::Sighting;
pub use scope::{Holder, Redirects, Requirements, Scope, Scopes};
pub use second::SecondName;
pub(crate) use second::{NamedPaths, PATH_PARAMETERS, RequestPaths, SecondNames, SecondResources};
pub use source::SourceAddress;
pub use template::PathTemplate;
pub use unmet::Unmet;
pub use upgrade::RequestedUpgrades;

//! Who a person is by a provider's word, in which groups, and how they authenticated.

mod factor;
mod groups;
mod person;
mod userinfo;

pub use factor::{AskedLevel, Factor, LevelNotReached};
pub use groups::Groups;
pub use person::{Person, PersonError};
pub use userinfo::Userinfo;

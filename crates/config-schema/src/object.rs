//! An object of a configuration: what [`object!`](crate::object) makes, and what is checked of it.

use super::{Description, Field, Fields, Place};

/// What [`object!`](crate::object) makes.
pub trait Members: Sized {
    /// The name of the type.
    const NAME: &'static str;

    /// Its documentation.
    const ABOUT: &'static str;

    /// Reads every field. `None` if one of them is wrong, and then that was reported.
    fn read_members(fields: &mut Fields<'_>) -> Option<Self>;

    /// Adds every field, in the order of the definition.
    fn describe_members(fields: &mut Vec<Field>);
}

/// An object of a configuration.
pub trait Object: Members {
    /// What its fields have to be to one another: reports what is wrong, at `place` or below it.
    /// `None` if anything is.
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let _ = place;
        Some(())
    }

    /// What it may hold.
    #[must_use]
    fn describe() -> Description {
        let mut fields = Vec::new();
        Self::describe_members(&mut fields);
        Description { name: Self::NAME, about: Self::ABOUT, fields }
    }
}

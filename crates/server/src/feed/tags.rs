//! The tags of the latest epochs: what tells an epoch from the same number given again.

use std::collections::VecDeque;

/// How many epochs are kept. A proxy that is further behind reads everything: about as much.
pub(crate) const MAX_TAGS: usize = 65_536;

/// The tags of the latest epochs, in their order.
#[derive(Debug, Default)]
pub(crate) struct Tags(VecDeque<(i64, Box<str>)>);

impl Tags {
    /// The tag of this epoch, if it is one of the latest.
    pub(crate) fn of(&self, epoch: i64) -> Option<&str> {
        let index = self.0.binary_search_by_key(&epoch, |(epoch, _)| *epoch).ok()?;
        self.0.get(index).map(|(_, tag)| tag.as_ref())
    }

    /// Adds these, which come after those that are there, up to the epoch `last`.
    pub(crate) fn add(&mut self, tags: Vec<(i64, Box<str>)>, last: i64) {
        self.0.extend(tags.into_iter().filter(|(epoch, _)| *epoch <= last));
        let over = self.0.len().saturating_sub(MAX_TAGS);
        self.0.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_latest_and_no_more() {
        let mut tags = Tags::default();
        let many = i64::try_from(MAX_TAGS).unwrap();
        tags.add(vec![(1, "a".into()), (3, "c".into()), (4, "d".into())], 3);
        assert_eq!(
            (tags.of(1), tags.of(2), tags.of(3), tags.of(4)),
            (Some("a"), None, Some("c"), None)
        );
        tags.add((4..many + 3).map(|epoch| (epoch, "x".into())).collect(), many + 2);
        assert_eq!((tags.of(1), tags.of(3), tags.of(many + 2)), (None, Some("c"), Some("x")));
    }
}

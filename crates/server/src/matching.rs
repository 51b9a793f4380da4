//! Different people for the places of several lists: the largest matching, by augmenting paths.

use std::collections::BTreeSet;

/// Lists with places, and the people who stand there, each in one place. People and lists are known by their numbers.
pub(crate) struct Matching<F> {
    lists: Vec<List>,
    fits: F,
}

#[derive(Debug)]
struct List {
    places: usize,
    people: Vec<usize>,
}

impl List {
    fn has_room(&self) -> bool {
        self.people.len() < self.places
    }
}

impl<F: Fn(usize, usize) -> bool> Matching<F> {
    /// Lists with so many places each, all of them free. `fits` says whether a person may stand in a list.
    pub(crate) fn new(places: impl Iterator<Item = usize>, fits: F) -> Matching<F> {
        let lists = places.map(|places| List { places, people: Vec::new() }).collect();
        Matching { lists, fits }
    }

    /// Finds a place for one more person, where others may have to move to other lists; each keeps a place. A person for whom
    /// there is none stands in no list, also if others come later.
    pub(crate) fn place(&mut self, person: usize) {
        self.put(person, &mut BTreeSet::new());
    }

    /// Whether there is a person in each place.
    pub(crate) fn is_full(&self) -> bool {
        self.lists.iter().all(|list| !list.has_room())
    }

    /// Who stands in each list, in the order of their numbers.
    pub(crate) fn people(&self) -> impl Iterator<Item = Vec<usize>> {
        self.lists.iter().map(|list| {
            let mut people = list.people.clone();
            people.sort_unstable();
            people
        })
    }

    /// For each list whether there would be a place for one more person who fits there: it has room, or one of its people can
    /// move to a list for which that is so.
    pub(crate) fn open(&self) -> Vec<bool> {
        let mut open: Vec<bool> = self.lists.iter().map(List::has_room).collect();
        loop {
            let can_move = |person: &usize| {
                open.iter()
                    .enumerate()
                    .any(|(list, is_open)| *is_open && (self.fits)(*person, list))
            };
            let next: Vec<bool> = open
                .iter()
                .zip(&self.lists)
                .map(|(is_open, list)| *is_open || list.people.iter().any(can_move))
                .collect();
            if next == open {
                return open;
            }
            open = next;
        }
    }

    /// Puts a person into a list with room, or else into one that was not tried yet and one of whose people can move.
    fn put(&mut self, person: usize, tried: &mut BTreeSet<usize>) -> bool {
        let fits = |list: &usize| (self.fits)(person, *list);
        let lists: Vec<usize> = (0..self.lists.len()).filter(fits).collect();
        let has_room = |list: &&usize| self.lists.get(**list).is_some_and(List::has_room);
        let roomy = lists.iter().find(has_room).copied();
        let found = roomy.or_else(|| lists.into_iter().find(|list| self.make_room(*list, tried)));
        if let Some(list) = found.and_then(|list| self.lists.get_mut(list)) {
            list.people.push(person);
        }
        found.is_some()
    }

    /// Lets one of the people of a list move to another one, unless that was tried.
    fn make_room(&mut self, index: usize, tried: &mut BTreeSet<usize>) -> bool {
        if !tried.insert(index) {
            return false;
        }
        let people = self.lists.get(index).map(|list| list.people.clone()).unwrap_or_default();
        let moved = people.into_iter().find(|other| self.put(*other, tried));
        if let Some(list) = self.lists.get_mut(index) {
            list.people.retain(|other| Some(*other) != moved);
        }
        moved.is_some()
    }
}

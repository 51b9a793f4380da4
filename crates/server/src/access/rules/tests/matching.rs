//! The matching against all assignments there are.

use proptest::prelude::*;

use crate::matching::Matching;

const PEOPLE: usize = 5;
const LISTS: usize = 4;

/// The most places that are taken by any assignment of each person to a list or to none.
fn most(places: &[usize], fits: &[[bool; LISTS]]) -> usize {
    let Some((person, others)) = fits.split_first() else { return 0 };
    let without = most(places, others);
    let with = (0..places.len()).filter(|list| person[*list] && places[*list] > 0).map(|list| {
        let mut left = places.to_vec();
        left[list] -= 1;
        1 + most(&left, others)
    });
    with.chain([without]).max().unwrap()
}

fn any_case() -> impl Strategy<Value = (Vec<usize>, Vec<[bool; LISTS]>)> {
    let places = proptest::collection::vec(0..=3_usize, 0..=LISTS);
    let fits = proptest::collection::vec(proptest::array::uniform4(any::<bool>()), 0..=PEOPLE);
    (places, fits)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn takes_as_many_places_as_the_best_assignment((places, fits) in any_case()) {
        let mut matching = Matching::new(places.iter().copied(), |person: usize, list: usize| {
            fits.get(person).is_none_or(|fits| fits[list])
        });
        for person in 0..fits.len() {
            let before: Vec<usize> = matching.people().flatten().collect();
            matching.place(person);
            let after: Vec<Vec<usize>> = matching.people().collect();
            let mut all: Vec<usize> = after.iter().flatten().copied().collect();
            prop_assert!(before.iter().all(|one| all.contains(one)), "each keeps a place");
            prop_assert_eq!(all.len(), most(&places, &fits[..=person]));
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(all.len(), after.iter().map(Vec::len).sum::<usize>(), "each in one place");
            for (list, people) in after.iter().enumerate() {
                prop_assert!(people.len() <= places[list] && people.iter().all(|one| fits[*one][list]));
            }
            prop_assert_eq!(matching.is_full(), all.len() == places.iter().sum::<usize>());
        }
        // One more person who fits one list alone finds a place there, if and only if it is open.
        let open = matching.open();
        prop_assert_eq!(open.len(), places.len());
        for (list, is_open) in open.into_iter().enumerate() {
            let mut one_more = fits.clone();
            one_more.push(std::array::from_fn(|other| other == list));
            prop_assert_eq!(most(&places, &one_more) > most(&places, &fits), is_open);
        }
    }
}

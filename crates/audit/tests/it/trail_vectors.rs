//! The service's events as its writer makes them: the reader is tied to the writer by these vectors alone. The writer's own
//! test is crates/server/src/store/chain/tests.rs.

use breakglass_audit::service::{Check, Fault, Head, Keys, Verdict};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

struct Vectors {
    keys: Keys,
    head: Head,
    events: Vec<Value>,
    forms: Vec<String>,
}

fn vectors() -> Vectors {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../types/tests/vectors/trail.json")).unwrap();
    let mut keys = Keys::default();
    keys.add(bytes(vectors["public_key"].as_str().unwrap()).try_into().unwrap());
    let all = vectors["vectors"].as_array().unwrap();
    Vectors {
        keys,
        head: serde_json::from_value(vectors["head"].clone()).unwrap(),
        events: all.iter().map(|one| one["event"].clone()).collect(),
        forms: all.iter().map(|one| one["form"].as_str().unwrap().to_owned()).collect(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(keys: &Keys, head: &Head, events: &[Value]) -> Verdict {
    let heads = [head.clone()];
    let mut check = Check::new(keys, &heads);
    events.iter().for_each(|event| check.event(event));
    check.end()
}

#[test]
fn the_reader_proves_what_the_writer_made() {
    let Vectors { keys, head, events, .. } = vectors();
    assert!(head.signed.is_some());
    let verdict = check(&keys, &head, &events);
    let expected = Verdict {
        events: 6,
        before: 2,
        last: 9_007_199_254_740_993,
        head: Some(head.hash.clone()),
        proven: Some(9_007_199_254_740_993),
        unproven: 0,
        findings: Vec::new(),
    };
    assert_eq!(verdict, expected);
}

/// The form of each event, and what the first link goes on from, are those that the document describes.
#[test]
fn the_hashes_are_of_the_forms_that_are_listed() {
    let Vectors { events, forms, .. } = vectors();
    let (before, chained) = forms.split_at(2);
    let begin: String = before.iter().map(|form| format!("{form}\n")).collect();
    let mut prev = sha256(&format!("breakglass-trail-begin-1\n{begin}"));
    for (form, event) in chained.iter().zip(&events[2..]) {
        assert_eq!(event["link"]["prev"], prev);
        prev = sha256(&format!("{prev}\n{form}"));
        assert_eq!(event["link"]["hash"], prev);
    }
}

/// Every member that is hashed is: without it, and with another value, the reader finds a fault at that place.
#[test]
fn the_reader_finds_each_member_that_was_changed() {
    let Vectors { keys, head, events, .. } = vectors();
    let mut tried = 0;
    for place in 0..events.len() {
        let names: Vec<String> = events[place].as_object().unwrap().keys().cloned().collect();
        for name in names.iter().filter(|name| *name != "time" && *name != "link") {
            for other in [None, Some(json!("other"))] {
                let mut changed = events.clone();
                let members = changed[place].as_object_mut().unwrap();
                match other {
                    Some(other) => members.insert(name.clone(), other),
                    None => members.remove(name),
                };
                let findings = check(&keys, &head, &changed).findings;
                assert!(!findings.is_empty(), "{name} of {}", events[place]);
                tried += 1;
            }
        }
        for name in ["prev", "hash", "kid", "signature"] {
            let mut changed = events.clone();
            if changed[place].get("link").is_none() {
                continue;
            }
            changed[place]["link"][name] = json!("other");
            assert!(!check(&keys, &head, &changed).findings.is_empty(), "{name} of {place}");
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
    for place in 0..events.len() {
        let mut shorter = events.clone();
        shorter.remove(place);
        assert!(!check(&keys, &head, &shorter).findings.is_empty(), "without {place}");
    }
}

/// What is wrong is named, and nothing is proven up to a head after it.
#[test]
fn the_reader_names_what_is_wrong() {
    let Vectors { keys, head, events, .. } = vectors();
    let finds = |events: &[Value], expected: Fault| {
        let verdict = check(&keys, &head, events);
        assert!(verdict.findings.iter().any(|one| one.fault == expected), "{verdict:?}");
        assert_eq!(verdict.proven, None, "{expected:?}");
    };
    let mut swapped = events.clone();
    swapped.swap(3, 4);
    finds(&swapped, Fault::OutOfOrder);
    let mut unlinked = events.clone();
    unlinked[4].as_object_mut().unwrap().remove("link");
    finds(&unlinked, Fault::NotInChain);
    let mut changed = events.clone();
    changed[4]["actor"] = json!("other");
    finds(&changed, Fault::Changed);
}

#[test]
fn the_reader_finds_a_head_that_was_changed() {
    let Vectors { keys, head, events, .. } = vectors();
    let mut forged = head.clone();
    forged.signed.as_mut().unwrap().time = "2030-01-01T00:00:00Z".to_owned();
    let faults = |head: &Head| -> Vec<Fault> {
        check(&keys, head, &events).findings.into_iter().map(|one| one.fault).collect()
    };
    assert_eq!(faults(&forged), [Fault::HeadNotSigned]);
    let mut unknown = head.clone();
    unknown.signed.as_mut().unwrap().kid = "k".to_owned();
    assert_eq!(faults(&unknown), [Fault::UnknownKey("k".to_owned())]);
    let other = Head { seq: 3, ..head };
    assert_eq!(faults(&other), [Fault::HeadNotSigned, Fault::NotTheHead]);
}

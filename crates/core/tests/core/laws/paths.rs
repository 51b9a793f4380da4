//! Paths and templates: the two sides of a path never contradict each other.

use breakglass_core::policy::{PathTemplate, PlainPath, Readings};
use proptest::collection::vec;
use proptest::prelude::*;

/// A segment that has one reading, and no extension.
fn segment() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_~-]{1,8}"
}

/// Segments, and for each whether a template names it.
fn segments() -> impl Strategy<Value = Vec<(String, bool)>> {
    vec((segment(), any::<bool>()), 1..6)
}

/// The template that names these segments and leaves the others open.
fn template(segments: &[(String, bool)]) -> String {
    let parts = segments.iter().map(|(segment, named)| if *named { segment } else { "{x}" });
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

fn path(segments: &[(String, bool)]) -> String {
    format!(
        "/{}",
        segments.iter().map(|(segment, _)| segment.as_str()).collect::<Vec<_>>().join("/")
    )
}

fn allows(template: &PathTemplate, path: &str) -> bool {
    PlainPath::parse(path.as_bytes()).is_ok_and(|path| template.allows(&path))
}

fn refuses(template: &PathTemplate, path: &[u8]) -> bool {
    template.refuses(&Readings::of(path))
}

/// One way of writing a path that servers take for the same path.
#[derive(Debug, Clone, Copy)]
enum Spelling {
    /// The byte at this place of the segment as an escape.
    Escaped(usize),
    /// The same, whose own `%` is an escape.
    EscapedTwice(usize),
    OtherCase,
    /// Before the segment.
    EmptySegment,
    Dot,
    DotDot,
    /// Behind it.
    Parameter,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        any::<usize>().prop_map(Spelling::Escaped),
        any::<usize>().prop_map(Spelling::EscapedTwice),
        Just(Spelling::OtherCase),
        Just(Spelling::EmptySegment),
        Just(Spelling::Dot),
        Just(Spelling::DotDot),
        Just(Spelling::Parameter),
    ]
}

fn spelled(segment: &str, spelling: Option<Spelling>) -> String {
    let escaped = |at: usize, percent: &str| {
        let at = at % segment.len();
        let escape = |(place, byte): (usize, u8)| match place == at {
            true => format!("{percent}{byte:02x}"),
            false => char::from(byte).to_string(),
        };
        segment.bytes().enumerate().map(escape).collect()
    };
    match spelling {
        None => segment.to_owned(),
        Some(Spelling::Escaped(at)) => escaped(at, "%"),
        Some(Spelling::EscapedTwice(at)) => escaped(at, "%25"),
        Some(Spelling::OtherCase) => segment.to_ascii_uppercase(),
        Some(Spelling::EmptySegment) => format!("/{segment}"),
        Some(Spelling::Dot) => format!("./{segment}"),
        Some(Spelling::DotDot) => format!("x/../{segment}"),
        Some(Spelling::Parameter) => format!("{segment};v=1"),
    }
}

proptest! {
    /// What a rule allows, the same rule as a ceiling refuses: no permit for what is closed.
    #[test]
    fn what_a_template_allows_it_also_refuses(path in "/[!-~]{0,30}", text in "/[!-~]{0,30}") {
        if let Ok(template) = PathTemplate::parse(&text) {
            prop_assert!(!allows(&template, &path) || refuses(&template, path.as_bytes()));
        }
        // The template that is this path.
        if let Ok(template) = PathTemplate::parse(&path) {
            prop_assert!(template.as_str() == path);
            prop_assert!(refuses(&template, path.as_bytes()), "{}", path);
        }
    }

    #[test]
    fn a_template_covers_what_fills_it_in(segments in segments(), rest in vec(segment(), 0..3)) {
        let (text, path) = (template(&segments), path(&segments));
        let exact = PathTemplate::parse(&text).unwrap();
        prop_assert!(allows(&exact, &path) && refuses(&exact, path.as_bytes()));
        let longer = [&[path.clone()][..], &rest].concat().join("/");
        let below = PathTemplate::parse(&format!("{text}/**")).unwrap();
        prop_assert_eq!(allows(&below, &longer), !rest.is_empty());
        prop_assert!(refuses(&below, longer.as_bytes()));
        prop_assert_eq!(allows(&exact, &longer), rest.is_empty());
    }

    /// A rule must not refuse everything either: another name, or one segment more, is another path.
    #[test]
    fn a_template_covers_nothing_else(segments in segments(), at: prop::sample::Index, more in segment()) {
        let exact = PathTemplate::parse(&template(&segments)).unwrap();
        let longer = format!("{}/{more}", path(&segments));
        prop_assert!(!allows(&exact, &longer) && !refuses(&exact, longer.as_bytes()), "{}", longer);
        let mut other = segments.clone();
        let changed = at.get_mut(&mut other);
        changed.0.push('0');
        let (named, other) = (changed.1, path(&other));
        prop_assert_eq!(allows(&exact, &other), !named);
        prop_assert_eq!(refuses(&exact, other.as_bytes()), !named, "{}", other);
    }

    /// What is covered under a spelling is covered under its normal form, and the other way around.
    #[test]
    fn however_a_path_is_spelled_it_is_refused(segments in segments(), spellings in vec(proptest::option::of(spelling()), 6)) {
        let closed = PathTemplate::parse(&template(&segments)).unwrap();
        let parts = segments.iter().zip(&spellings).map(|((segment, _), way)| spelled(segment, *way));
        let path = format!("/{}", parts.collect::<Vec<_>>().join("/"));
        prop_assert!(refuses(&closed, path.as_bytes()), "{} under {}", path, closed.as_str());
    }

    #[test]
    fn no_path_panics(bytes in vec(any::<u8>(), 0..120), odd in "[/%.;?#\\\\a2u5ef0-9\u{ff0f}\u{0}]{0,60}", text in ".{0,40}") {
        let every = PathTemplate::parse("/**").unwrap();
        for path in [&bytes[..], odd.as_bytes(), text.as_bytes()] {
            let plain = PlainPath::parse(path);
            let refused = refuses(&every, path);
            // What could get a permit is closed by a rule for everything.
            prop_assert!(plain.is_err() || refused, "{:?}", path);
        }
        let _ = PathTemplate::parse(&text);
    }
}

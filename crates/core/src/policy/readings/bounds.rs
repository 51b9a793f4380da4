//! No path costs more than there is work for, whatever it holds: counted, because time is the machine's.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use std::cell::Cell;

use crate::policy::{SecondNames, SecondResources};
use crate::testing::test;

use super::work::{MAX_READ_BYTES, MAX_READINGS};
use super::{MAX_WORK, MORE_WORK, Readings, Work};

thread_local! {
    /// How often something was taken for an escape: what is really done, beside what is charged.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn count() {
    TAKEN.set(TAKEN.get().saturating_add(1));
}

/// What paths are made of here: each class of escape and each change, in pieces.
const PIECES: [&str; 56] = [
    "/",
    "//",
    "\\",
    ";",
    ";x",
    "%",
    "%2",
    "%25",
    "%2f",
    "%5c",
    "%2e",
    ".",
    "..",
    "/./",
    "/../",
    "%00",
    "%0a",
    "%23",
    "#",
    "%3f",
    "%3b",
    "*",
    "%2a",
    ":",
    "|",
    "\"",
    "%20",
    "%09",
    "@",
    "%u002f",
    "%uff0f",
    "%c0%af",
    "%c0%ae",
    "%e0%80%af",
    "%ff",
    "%c3",
    "%ef%bc%8f",
    "%25252525252f",
    "/(s(x))",
    ":$",
    "%3a",
    "\u{e9}",
    "%c3%a9",
    "e%cc%81",
    "%cc%81",
    "\u{fdfa}",
    "%ef%b7%ba",
    "%e2%80%a6",
    "a",
    "/a",
    "%61",
    "\u{fb03}",
    "%f0%9d%90%9a",
    "...",
    " ",
    "\u{ff12}",
];

/// Paths of at most 4 KiB: of a few pieces in some order, everywhere, at the end, or at both ends.
fn odd_paths(number: usize) -> impl Iterator<Item = String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).unwrap()
    };
    (0..number).map(move |_| {
        let few: Vec<&str> = (0..=below(8)).map(|_| PIECES[below(PIECES.len())]).collect();
        let length = [60, 200, 500, 1000, 2000, 4000][below(6)];
        let mut path = "/".to_owned();
        match below(4) {
            0 => {}
            1 => path.push_str(&"a".repeat(below(length))),
            2 => path.push_str(&few.concat()),
            _ => {
                path.push_str(&few.concat());
                path.push_str(&"ab/".repeat(below(length / 3)));
            }
        }
        while path.len() < length {
            path.push_str(few[below(few.len())]);
        }
        path
    })
}

/// What finding the readings of a path takes: what is charged, and what is done.
fn cost(path: &str) -> (usize, usize) {
    let mut work = Work::of(MAX_WORK);
    let before = TAKEN.get();
    if let Readings::Known(readings) = Readings::first(path.as_bytes(), &mut work) {
        assert!(readings.len() <= MAX_READINGS, "{path}: {}", readings.len());
        let bytes: usize = readings.iter().map(Vec::len).sum();
        assert!(bytes <= MAX_READ_BYTES, "{path}: {bytes}");
    }
    (MAX_WORK - work.left(), TAKEN.get() - before)
}

#[test]
fn what_is_done_is_in_proportion_to_what_is_charged() {
    let number = if cfg!(target_arch = "wasm32") { 100 } else { 600 };
    let runs = PIECES.iter().map(|piece| format!("/{}", piece.repeat(4000 / piece.len())));
    let mut exhausted = 0_usize;
    for path in runs.chain(odd_paths(number)) {
        let (charged, done) = cost(&path);
        exhausted += usize::from(charged == MAX_WORK);
        // A look may take one `%` for the beginning of an escape in more ways than one.
        assert!(done <= 2 * charged, "{done} for {charged}: {path:.80}");
    }
    assert!(exhausted > 0, "no path here takes all the work that there is");
}

/// A path of a file, an object or a project is far from that: see also `ordinary` in the tests.
#[test]
fn an_ordinary_path_takes_little() {
    for (path, most) in [
        ("/api/v4/projects/17/repository/files/README.md", 0),
        ("/api/v4/projects/17/repository/files/READ%20ME.md", 1_000),
        ("/files/my%20report%20(1).pdf", 1_000),
        ("/api/v4/projects/group%2Fproject/repository/files/src%2Fmain%2FApp.java", 3_000),
        ("/files/%C3%9Cbersicht%20%E2%80%93%20K%C3%B6ln%2C%20Stra%C3%9Fe.xlsx", 5_000),
    ] {
        let (charged, _) = cost(path);
        assert!(charged <= most, "{path}: {charged}");
    }
}

#[test]
fn what_headers_name_shares_the_work_of_one_request() {
    let names = SecondNames::new([].into_iter(), [].into_iter(), [].into_iter(), &[]);
    let all = MAX_WORK + MORE_WORK;
    let odd: Vec<_> = odd_paths(200).filter(|path| cost(path).0 > all / 40).take(30).collect();
    assert_eq!(odd.len(), 30, "so many odd paths");
    let mut second = SecondResources::default();
    for path in &odd {
        second.add(b"x-envoy-original-path", path.as_bytes(), &names);
    }
    let before = TAKEN.get();
    let paths = second.paths(odd[0].as_bytes());
    assert!(TAKEN.get() - before <= 2 * all, "{}", TAKEN.get() - before);
    assert!(paths.all().any(Readings::is_anything));

    // Prefixes are put before a path, and each makes another one of its length.
    let long = format!("/{}", "a/".repeat(20_000));
    let mut second = SecondResources::default();
    second.add(b"x-forwarded-prefix", "/b,".repeat(15).as_bytes(), &names);
    assert!(!second.paths(b"/a/x").all().any(Readings::is_anything));
    assert!(!second.paths(long.as_bytes()).all().any(Readings::is_anything));
    second.add(b"x-forwarded-prefix", "/b,".repeat(15).as_bytes(), &names);
    let paths = second.paths(long.as_bytes());
    assert!(!paths.own.is_anything());
    assert!(paths.all().any(Readings::is_anything), "{} paths", paths.all().count());
}

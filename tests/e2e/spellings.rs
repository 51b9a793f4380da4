//! The spellings themselves: that there are enough, and that each can be sent.

use std::collections::HashSet;

use breakglass_tests::spellings::{Spelling, sample, spellings};

const PATHS: [&str; 6] =
    ["/a", "/hidden", "/v1/orders", "/@team/app-1", "/dav/secret/file.txt", "/v1/a/b/c"];

#[test]
fn there_are_enough_and_each_is_one_target() {
    for path in PATHS {
        let all = spellings(path);
        assert!(all.len() >= 400, "{} of {path}", all.len());
        assert_eq!(all[0].target, path.as_bytes());
        let different: HashSet<_> = all.iter().map(|one| &one.target).collect();
        assert_eq!(different.len(), all.len());
        for one in &all {
            let bare = |byte: &u8| matches!(byte, b' ' | b'\r' | b'\n' | 0);
            assert!(!one.target.iter().any(bare), "{one:?}");
            let starts = [&b"/"[..], b"http", b"HTTP"];
            assert!(starts.iter().any(|start| one.target.starts_with(start)), "{one:?}");
        }
        assert_eq!(spellings(path), all, "the same each time");
        let some = sample(path, 500);
        let kinds = |some: &[Spelling]| -> HashSet<String> {
            let single = some.iter().filter(|one| !one.class.contains(" + "));
            single.map(|one| one.class.clone()).collect()
        };
        assert_eq!((some.len(), kinds(&some)), (500, kinds(&all)), "a few of each kind");
        assert!(some.iter().all(|one| different.contains(&one.target)));
    }
}

#[test]
fn the_known_ones_are_among_them() {
    let among = |path: &str, targets: &[&str]| {
        let all: HashSet<_> = spellings(path).into_iter().map(|one| one.target).collect();
        for target in targets {
            assert!(all.contains(target.as_bytes()), "{target} for {path}");
        }
    };
    among(
        "/hidden",
        &[
            "/hidden.",
            "/hidden..",
            "/h%2aidden",
            "/h*idden",
            "/%68idden",
            "/%48idden",
            "/%2568idden",
            "/HIDDEN",
            "/hidden.json",
            "/hidden/",
            "/hidden%20",
            "/hidden%00",
            "/hidden;x=y",
            "//h/hidden",
            "/\\h/hidden",
            "http://h/hidden",
            "/x/../hidden",
            "/x/%2e%2e/hidden",
            "/..;/hidden",
            "/%252fhidden",
            "/%ef%bd%88idden",
            "/hidden?x=y",
            "/hidden%3fx=y",
            "/hidden#x",
            "/%u0068idden",
        ],
    );
    among(
        "/v1/orders",
        &[
            "/v1%2Forders",
            "/v1%5Corders",
            "/v1\\orders",
            "/v1%c0%aforders",
            "/v1%u002forders",
            "/v1;x=y/orders",
        ],
    );
}

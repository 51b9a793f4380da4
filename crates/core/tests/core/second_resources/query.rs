//! Queries against a slow, obvious oracle, and ordinary ones.

use breakglass_core::step::Step;
use serde_json::json;

use super::decisions::guarding;
use super::{oracle, spelling};
use crate::random::Random;
use crate::support::{Request, Stage, test};

/// How many queries are made; `SECOND_QUERIES` in the environment asks for another number.
const QUERIES: usize = if cfg!(target_arch = "wasm32") { 300 } else { 2_000 };

fn queries() -> usize {
    std::env::var("SECOND_QUERIES").ok().and_then(|number| number.parse().ok()).unwrap_or(QUERIES)
}

/// Requests without a token, many at one worker.
struct Decisions(Stage);

impl Decisions {
    fn is_refused(&mut self, target: &str) -> bool {
        let step = self.0.request(1, &Request::new("POST", target));
        self.0.logged(1);
        matches!(step, Step::Refuse(..))
    }
}

#[test]
fn no_query_that_a_server_could_resolve_slips_past_a_rule() {
    let config = guarding(&["/v2/secret/app/**"], json!({}));
    let mut decisions = Decisions(Stage::new(&config));
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let (number, mut mounts, mut failed) = (queries(), 0, Vec::new());
    for _ in 0..number {
        let target = spelling::of("secret/app", &mut random);
        if oracle::mounts(&target, "secret/app") {
            mounts += 1;
            if !decisions.is_refused(&target) {
                failed.push(target);
            }
        }
    }
    assert!(failed.is_empty(), "{}: {:#?}", failed.len(), &failed[..failed.len().min(20)]);
    println!("{number} queries, {mounts} of them mount the blob");
    assert!(mounts > number / 4, "{mounts} of {number} are of the kind");
}

#[test]
fn ordinary_queries_are_none_of_these() {
    let config = guarding(
        &["/**"],
        json!({"protected": [{"paths": ["/secret/**"]}],
        "path_parameters": [{"name": "index", "with": "secret"}]}),
    );
    let mut decisions = Decisions(Stage::new(&config));
    let mut random = Random::new(0x5bd1_e995);
    let values = [
        "1",
        "secret/app",
        "/secret",
        "a%20b",
        "a%2Fsecret",
        "https%3A%2F%2Fh%2Fsecret%3Fx%3D1%26y%3D2",
        "%7B%22from%22%3A1%7D",
        "now-6h",
        "%D0%B0",
        "100%25",
        "",
    ];
    let names = [
        "q",
        "page",
        "from",
        "to",
        "filter%5Bname%5D",
        "ids[]",
        "redirect_uri",
        "mounted",
        "index",
        "X-Amz-Signature",
        "_",
        "%D1%8F",
        "e%CC%81",
        "a.b",
    ];
    for _ in 0..queries() {
        let pairs: Vec<_> = (0..random.below(5))
            .map(|_| {
                let (name, value) =
                    (names[random.below(names.len())], values[random.below(values.len())]);
                format!("{name}={value}")
            })
            .collect();
        let target = format!("/api/x?{}", pairs.join("&"));
        assert!(!decisions.is_refused(&target), "{target}");
    }
}

//! References put together at random, held against two readers of URIs: that of browsers (the WHATWG's, crate `url`)
//! and that of RFC 3986 (crate `fluent-uri`). Whatever stays here stays for both.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "test code"
)]

use super::*;

const PARTS: [&str; 40] = [
    "/",
    "/",
    "/",
    "//",
    "\\",
    ":",
    ":",
    "@",
    "?",
    "#",
    ".",
    "..",
    "./",
    "../",
    "%2f",
    "%5C",
    "%2e",
    "%",
    "\t",
    "\n",
    " ",
    "\0",
    "http:",
    "https:",
    "HTTPS:",
    "https://",
    "orders.internal",
    "orders.internal",
    "ORDERS.internal",
    "evil.example",
    "443",
    ":443",
    ":80",
    "a",
    "\u{e9}",
    "\u{ff0f}",
    "\u{a0}",
    "[::1]",
    "=",
    "&",
];

const CASES: usize = 300_000;

/// The same numbers in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn reference(&mut self) -> String {
        (0..=self.below(7)).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }
}

/// Scheme, host and port.
type Place = (String, String, u16);

fn by_the_whatwg(base: &str, reference: &str) -> Option<Place> {
    let url = url::Url::parse(base).unwrap().join(reference).ok()?;
    // A scheme without hosts and ports is another place.
    let host = url.host_str().unwrap_or_default().to_owned();
    Some((url.scheme().to_owned(), host, url.port_or_known_default().unwrap_or_default()))
}

fn by_rfc_3986(base: &str, reference: &str) -> Option<Place> {
    let base = fluent_uri::Uri::parse(base).unwrap();
    let uri = fluent_uri::UriRef::parse(reference).ok()?.resolve_against(&base).ok()?;
    let scheme = uri.scheme().as_str().to_ascii_lowercase();
    let default = if scheme == "https" { HTTPS } else { HTTP };
    let Some(authority) = uri.authority() else { return Some((scheme, String::new(), 0)) };
    let port = authority.port_to_u16().ok()?.unwrap_or(default);
    Some((scheme, authority.host().to_ascii_lowercase(), port))
}

#[test]
fn what_stays_stays_for_browsers_and_for_rfc_3986() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut stay, mut needless) = (0_usize, 0_usize);
    for scheme in ["https", "http"] {
        let headers = Headers::from_pairs([(&b":scheme"[..], scheme.as_bytes())]);
        let origin = Origin::of(b"orders.internal", &headers);
        for path in ["/v1/orders/17?x=1", "/"] {
            let base = format!("{scheme}://orders.internal{path}");
            let here = by_the_whatwg(&base, "").unwrap();
            assert_eq!(by_rfc_3986(&base, "").unwrap(), here);
            let is_here = |place: &Place| {
                let upgraded = ("https".to_owned(), here.1.clone(), HTTPS);
                let to_same_port = ("https".to_owned(), here.1.clone(), HTTP);
                *place == here || (scheme == "http" && [upgraded, to_same_port].contains(place))
            };
            for _ in 0..CASES / 4 {
                let reference = random.reference();
                let readings = [by_the_whatwg(&base, &reference), by_rfc_3986(&base, &reference)];
                let all_here = readings.iter().flatten().all(is_here);
                if origin.keeps(&reference) {
                    assert!(all_here, "{reference:?} at {base}: {readings:?}");
                    stay += 1;
                } else if all_here {
                    needless += 1;
                }
            }
        }
    }
    // The check means nothing where hardly anything stays.
    println!("of {CASES} references {stay} stay; {needless} do not, though both readers stay");
    assert!(stay > CASES / 20, "{stay}");
}

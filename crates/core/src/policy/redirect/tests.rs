//! What stays, what leads elsewhere, and that the two differ by what some client makes of a reference.

use super::*;
use crate::testing::test;

fn origin(scheme: &str, authority: &str) -> Origin {
    origin_of(authority, &[(":scheme", scheme)])
}

fn origin_of(authority: &str, headers: &[(&str, &str)]) -> Origin {
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    Origin::of(authority.as_bytes(), &Headers::from_pairs(headers))
}

fn secure() -> Origin {
    origin("https", "orders.internal")
}

fn assert_all(origin: &Origin, stays: bool, references: &[&str]) {
    for reference in references {
        assert_eq!(origin.keeps(reference), stays, "{reference:?} from {origin:?}");
    }
}

#[test]
fn references_without_an_authority_stay() {
    assert_all(
        &secure(),
        true,
        &[
            "",
            "/",
            "/login",
            "login",
            "./login",
            "../login",
            "?page=2",
            "#top",
            "/a/../b",
            "/a//b",
            "/v1/caf\u{e9}",
            "/a?next=https://evil.example/",
            "/a#//evil.example",
            "/a?b=\\\\evil.example",
            "/@evil.example",
            "/a:b",
            "./a:b",
            "/a b",
            " /login\t",
            "/queues/%2F/orders",
            "a/b@c",
            "/https://evil.example",
        ],
    );
}

#[test]
fn references_to_the_same_authority_stay() {
    assert_all(
        &secure(),
        true,
        &[
            "https://orders.internal",
            "https://orders.internal/",
            "HTTPS://Orders.INTERNAL/x",
            "https://orders.internal:443/x",
            "https://orders.internal:0443/x",
            "//orders.internal/x",
            "//orders.internal:443",
            "https://orders.internal?x=1",
            "https://orders.internal#x",
            "https://orders.internal/@evil.example",
            "https://orders.internal/?u=https://evil.example",
        ],
    );
    let v6 = origin("https", "[2001:db8::1]:8443");
    assert_all(&v6, true, &["https://[2001:db8::1]:8443/", "//[2001:DB8:0::1]:8443/x"]);
    assert_all(&v6, false, &["https://[2001:db8::1]/", "https://[2001:db8::2]:8443/"]);
}

#[test]
fn what_some_client_reads_as_another_authority_leads_elsewhere() {
    assert_all(
        &secure(),
        false,
        &[
            // Another host, scheme or port, plainly.
            "https://evil.example/",
            "https://orders.internal.evil.example",
            "//evil.example",
            "https://orders.internal:444/",
            "https://internal/",
            "https://xorders.internal/",
            "http://orders.internal/",
            "http://orders.internal:443/",
            "ftp://orders.internal/",
            "javascript:alert(1)",
            "data:,x",
            "mailto:a@orders.internal",
            "orders.internal:443/x",
            "orders.internal:",
            "wss://orders.internal/",
            "https:x",
            ":x",
            ":443/x",
        ],
    );
    assert_all(
        &secure(),
        false,
        &[
            // Browsers take a backslash for a slash, and drop tabs and line ends.
            "\\\\evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https:\\\\evil.example",
            "https://orders.internal\\@evil.example",
            "https://evil.example\\@orders.internal",
            "/\t/evil.example",
            "/\n/evil.example",
            "ht\ttps://evil.example",
            "\u{1}//evil.example",
            "/\r/evil.example",
            "https://orders.internal\t.evil.example/",
            "/a\u{0}b",
            "/\u{7f}",
            "\u{a0}//evil.example",
            "\u{feff}//evil.example",
            "/x\u{85}",
            "\u{3000}/x",
            // More slashes or fewer than two.
            "///evil.example",
            "////evil.example",
            "https:///evil.example",
            "https:/evil.example",
            "https:evil.example",
            "https:",
            "https://",
            "//",
            "https:///orders.internal/",
            // User information, and what looks like it.
            "https://orders.internal@evil.example/",
            "https://a:b@orders.internal/",
            "https://orders.internal:443@evil.example/",
            "//orders.internal@evil.example",
            "https://orders.internal?@evil.example",
            "https://orders.internal#@evil.example/",
            "https://orders.internal?\\evil.example",
            "@evil.example",
            "x@evil.example/y",
            // Hosts that not every client reads alike.
            "https://orders.internal./",
            "https://orders%2einternal/",
            "https://orders.internal%00/",
            "https://orders.internal:/",
            "https://orders.internal:443:80/",
            "https://orders.internal:+443/",
            "https://orders.internal:65536/",
            "https://orders.internal /",
            "https:// orders.internal/",
            "https://\u{ff4f}rders.internal/",
            "https://orders\u{3002}internal/",
            "https://[::1]/",
            // Slashes that are encoded, or of other alphabets, and dots that leave two slashes.
            "/%2fevil.example",
            "/%5Cevil.example",
            "%2F%2Fevil.example",
            "/\u{ff0f}evil.example",
            "\u{ff0f}\u{ff0f}evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            ".//evil.example",
            "/%2e//evil.example",
            "/./%2Fevil.example",
            "..%2F/evil.example",
        ],
    );
}

#[test]
fn ports_and_schemes_are_compared_with_their_defaults() {
    let plain = origin("http", "orders.internal");
    assert_all(
        &plain,
        true,
        &[
            "http://orders.internal/",
            "http://orders.internal:80/",
            "//orders.internal:80/",
            // Up to https on the same host.
            "https://orders.internal/",
            "https://orders.internal:443/",
            "https://orders.internal:80/",
        ],
    );
    assert_all(&plain, false, &["https://orders.internal:8443/", "http://orders.internal:443/"]);
    let odd = origin("http", "orders.internal:8080");
    assert_all(&odd, true, &["http://orders.internal:8080/", "https://orders.internal:8080/"]);
    assert_all(&odd, false, &["http://orders.internal/", "https://orders.internal/"]);
    let default = origin("https", "orders.internal:443");
    assert_all(&default, true, &["https://orders.internal/", "https://orders.internal:443/"]);
    assert_all(&default, false, &["http://orders.internal/"]);
}

#[test]
fn https_is_what_one_of_the_headers_says() {
    let same: [&[(&str, &str)]; 5] = [
        &[(":scheme", "HTTPS")],
        &[(":scheme", "http"), ("x-forwarded-proto", "https")],
        &[(":scheme", "http"), ("x-forwarded-proto", "http, Https")],
        &[("x-forwarded-proto", "http"), ("x-forwarded-proto", "wss")],
        &[(":scheme", "https"), ("x-forwarded-proto", "http")],
    ];
    for headers in same {
        assert_all(&origin_of("orders.internal", headers), false, &["http://orders.internal/"]);
    }
    for headers in [&[][..], &[(":scheme", "http"), ("forwarded", "proto=https")]] {
        assert_all(&origin_of("orders.internal", headers), true, &["http://orders.internal/"]);
    }
}

#[test]
fn from_an_authority_that_is_no_plain_one_only_paths_stay() {
    for authority in ["", "user@orders.internal", "orders.internal:", "orders .internal"] {
        let origin = origin("https", authority);
        assert_all(&origin, true, &["/x", "?x"]);
        let same = format!("https://{authority}/");
        assert_all(&origin, false, &[&same, "https://orders.internal/"]);
    }
}

/// What is left of a response with these headers.
fn left(headers: &[(&str, &[u8])]) -> Option<Option<String>> {
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), *value));
    secure().is_left_by(&Headers::from_pairs(headers)).map(|elsewhere| elsewhere.to)
}

#[test]
fn every_location_of_a_redirect_counts_and_none_of_another_answer() {
    let (status, location) =
        ((":status", &b"307"[..]), ("location", &b"https://evil.example/?key=secret"[..]));
    let to = Some(Some("https://evil.example".to_owned()));
    assert_eq!(left(&[status, location]), to);
    assert_eq!(left(&[status, ("location", b"/x"), location, ("location", b"/y")]), to);
    for status in ["300", "301", "302", "303", "304", "305", "306", "307", "308", "399"] {
        assert_eq!(left(&[(":status", status.as_bytes()), location]), to, "{status}");
    }
    // Not known to be none.
    assert_eq!(left(&[location]), to);
    for status in ["200", "201", "202", "101", "401", "500"] {
        assert_eq!(left(&[(":status", status.as_bytes()), location]), None, "{status}");
    }
    assert_eq!(left(&[status]), None);
    assert_eq!(left(&[status, ("location", b"/\xff\xfe")]), Some(None), "not UTF-8");
    assert_eq!(left(&[status, ("location", b"https:evil.example")]), Some(None), "not plain");
    assert_eq!(
        left(&[status, ("location", b"//evil.example:8443/x")]),
        Some(Some("//evil.example:8443".into()))
    );
}

#[test]
fn locations_that_envoy_has_written_as_one_count_each() {
    let left = |location: &str| left(&[(":status", b"307"), ("location", location.as_bytes())]);
    for elsewhere in [
        "/v1/orders,https://evil.example/",
        "/a,/b, //evil.example",
        "/a,\t\\\\evil.example",
        "/a,/\\evil.example",
        "https://orders.internal/,HTTPS://evil.example/",
        "/a,http://orders.internal/",
        "https://orders.internal/a,https:evil.example",
        "/a?b,//c",
    ] {
        assert!(left(elsewhere).is_some(), "{elsewhere}");
    }
    for stays in [
        "/a,/b",
        "/map?bbox=1,2,3",
        "/Products(1,Name='a:b')",
        "/a,b:c",
        ",",
        "/a,,/b",
        "/a,https://orders.internal/b",
        "https://orders.internal/,//orders.internal:443/b",
    ] {
        assert!(left(stays).is_none(), "{stays}");
    }
}

#[test]
fn a_refresh_leads_elsewhere_whatever_the_status() {
    for elsewhere in [
        "0; url=https://evil.example/",
        "0;URL='https://evil.example/'",
        "0,url=\"//evil.example\"",
        "3 ; Url = https://evil.example/",
        "0 https://evil.example/",
        "0;https://evil.example",
        "https://evil.example/",
        "url=https://evil.example/",
        "0;;url=https://evil.example",
        "0; url='\\\\evil.example'",
        "0;url=\"https://evil.example",
        "1.5;url=http://orders.internal/",
        "\t0;\turl\t=\thttps://evil.example/",
    ] {
        let found = left(&[(":status", b"200"), ("refresh", elsewhere.as_bytes())]);
        assert!(found.is_some(), "{elsewhere}");
    }
    for stays in ["5", "5;", "0; url=/login", "0;url='https://orders.internal/a'", "0;login", ""] {
        assert_eq!(left(&[(":status", b"200"), ("refresh", stays.as_bytes())]), None, "{stays}");
    }
    assert!(left(&[("refresh", b"0;url=/\xff")]).is_some());
}

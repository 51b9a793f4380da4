//! The spellings that were seen to slip past rules, at the level of a decision: without a token at
//! `protected`, and under a token that its scope would let through at the `ceiling`.

use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, reason, test, with,
};

/// Decides one request under rules for these paths, as `protected` and as `ceiling`, without and with a
/// token: the reasons.
fn decided(rules: &[&str], request: impl Fn() -> Request) -> (String, String) {
    let rules = json!([{"paths": rules}]);
    let everything = json!([{"name": "orders:read", "methods": ["GET", "DELETE"],
        "paths": ["/", "/**"]}]);
    let config =
        with(config(), json!({"protected": rules, "ceiling": rules, "scopes": everything}));
    let mut stage = Stage::new(&config);
    let without = reason(&stage.request(1, &request()));
    let token = Key::new(1).sign(&claims());
    let under = stage.request(2, &request().header("x-breakglass-token", token));
    (without, reason(&under))
}

fn assert_covered(rules: &[&str], path: &str) {
    let refused = ("token_missing".to_owned(), "ceiling".to_owned());
    assert_eq!(decided(rules, || Request::new("GET", path)), refused, "{path} at {rules:?}");
    let deleted = decided(rules, || Request::new("DELETE", path));
    assert_eq!(deleted, refused, "{path} at {rules:?}");
}

/// What is not covered: without a token it is not ours, and under one it gets what `under` says.
fn assert_not_covered(rules: &[&str], path: &str, under: &str) {
    let passed = ("no_token".to_owned(), under.to_owned());
    assert_eq!(decided(rules, || Request::new("GET", path)), passed, "{path} at {rules:?}");
}

#[test]
fn an_extension_does_not_hide_the_last_name() {
    for path in [
        "/admin/users.json",
        "/admin/users.JSON",
        "/Admin/Users.tar.gz",
        "/admin/users.",
        "/admin/users%2ejson",
        "/admin/users.json/",
        "/admin/users.json;v=1",
        "/admin/users.json%00",
        "/admin/users%20.json",
        "/pub/../admin/users.xml",
        "/admin%2fusers.json",
    ] {
        assert_covered(&["/admin/users"], path);
    }
    // `/x/**` covers `/x`, and so it covers `/x.json`.
    assert_covered(&["/admin/**"], "/admin.json");
    assert_not_covered(&["/admin/users"], "/admin/users-old.json", "permit_unverified");
    assert_not_covered(&["/admin/users"], "/admin.json/users", "permit_unverified");
    assert_not_covered(&["/admin/users"], "/admin/users.d/x", "permit_unverified");
    assert_not_covered(&["/admin/users.json"], "/admin/users", "permit_unverified");
    assert_not_covered(&["/admin/users"], "/admin/.users", "permit_unverified");
}

#[test]
fn a_path_that_is_a_reference_is_judged_without_its_authority() {
    for path in [
        "//x/admin/x",
        "/\\x/admin/x",
        "\\\\x/admin/x",
        "\\/x/admin/x",
        "///x/admin/x",
        "////x/admin/x",
        "/\\/x/admin/x",
        "//user:password@x:8080/admin/x",
        "//x:443/admin/x",
        "//[::1]:80/admin/x",
        "//a/b@x/admin/x",
        "//x\\admin/x",
        "//x\\y/admin/x",
        "//x#y/admin/x",
        "//%61/admin/x",
        "/%2fx/admin/x",
        "/%5cx/admin/x",
        "/%5c%5cx/admin/x",
        "/%09/x/admin/x",
        "//x//admin/x",
        "//x/pub/../admin/x",
        "//x/%61dmin/x",
        "/pub/..//x/admin/x",
        "http://x/admin/x",
        "http:\\\\x\\admin\\x",
        "http:/admin/x",
        "http:/x/admin/x",
        "http:admin/x",
        "http:///x/admin/x",
        "HTTPS://u@x:1/admin/x",
        "ws+unix.1-x://x/admin/x",
        "/http://x/admin/x",
    ] {
        assert_covered(&["/admin/**"], path);
    }
    // An authority alone is the root.
    for path in ["//x", "//x/", "http://x", "//x#y"] {
        assert_covered(&["/"], path);
    }
    assert_not_covered(&["/admin/**"], "//x/y/admin/x", "ambiguous_path");
    assert_not_covered(&["/admin/**"], "/pub//x/admin/x", "ambiguous_path");
    assert_not_covered(&["/admin/**"], "/web/https://x/admin/x", "ambiguous_path");
}

#[test]
fn whoever_decodes_some_escapes_and_not_others_finds_no_way_around() {
    let rules = ["/admin/{id}", "/v1/{a}/keys"];
    for path in [
        "/%61dmin/a%2fb",
        "/v1/grp%2fproj/key%73",
        "/%61dmin/a%u002fb",
        "/%61dmin/%c0%af",
        "/admin/a%2fb",
        "/admin/a%252fb",
        "/%2561dmin/a%2fb",
        "/%61dmin/a%5cb",
        "/%61dmin/a%3bb",
        "/%61dmin/%2e%2e",
        "/%61dmin/a%2fb%5cc%3fd%23e",
        "/%u0061dmin/a%2fb",
        "/%c1%a1dmin/a%2fb",
        "/%ef%bd%81dmin/a%2fb",
        "/%61dmin/%e0%80%af",
        "/%61dmin/%ef%bc%8f",
        "/%61dmin/%ff",
        "/v1/%2e%2e%2fx/key%73",
        "/v1/a%c0%afb/%6beys",
        "/v1/a%25%32%66b/%6beys",
    ] {
        assert_covered(&rules, path);
    }
    for path in ["/%40me/%c0%af", "/%40me/a%2fb", "/@me/%c0%af", "/@ME/x"] {
        assert_covered(&["/@me/{id}"], path);
    }
    // Names in a rule may be encoded themselves.
    for path in ["/a%20b/x", "/a%2520b/x", "/a%20%62/y%2fz", "/%61+b/x", "/A%20B/X"] {
        assert_covered(&["/a%20b/{id}"], path);
    }
    for path in ["/caf%c3%a9", "/cafe%cc%81", "/CAF%C3%89", "/caf%e9", "/c%61f%u00e9"] {
        assert_covered(&["/caf%C3%A9"], path);
    }
    assert_not_covered(&rules, "/admin/a/b", "permit_unverified");
    assert_not_covered(&rules, "/administrator/a%2fb", "ambiguous_path");
    assert_not_covered(&rules, "/v1/grp%2fproj/keyring", "ambiguous_path");
    assert_not_covered(&["/@me/{id}"], "/me/x", "permit_unverified");
}

#[test]
fn a_name_that_an_application_cleans_is_the_name_that_is_left() {
    for path in [
        "/hidden.",
        "/hidden..",
        "/hid*den",
        "/hid%2aden",
        "/hidden./-rev/x",
        "/hidden%20",
        "/hidden%20.%20.",
        "/%20hidden",
        "/hidden...../x",
        "/hid:den",
        "/hid%3aden/x",
        "/hid%3fden/x",
        "/%22hidden%22",
        "/%3chidden%3e/x",
        "/hid%7cden",
        "/hid%01den",
        "/hid%7fden",
        "/hid%c2%85den",
        "/hid%2fden",
        "/hid%5cden",
        "/h*i*d:d%2ae%22n.%20.",
        "/hidden%2e/x",
        "/hidden%2e%2e/x",
        "/hidden::$DATA",
        "/hidden:$I30:$INDEX_ALLOCATION/x",
        "/pub/.%2a./hidden",
        "/pub/..%20/hidden",
        "/(S(abc))/hidden/x",
        "/hid/(S(x))den",
        "/hi%ffdden",
    ] {
        assert_covered(&["/hidden/**"], path);
    }
    for path in ["/hidden-", "/.hidden", "/hid-den", "/hid.den", "/not.hidden"] {
        assert_not_covered(&["/hidden/**"], path, "permit_unverified");
    }
}

#[test]
fn forms_of_unicode_are_one_name() {
    for path in [
        "/%ef%bd%81dmin/x",
        "/%EF%BC%A1dmin/x",
        "/adm%c4%b1n/x",
        "/admin%ef%bc%8fx",
        "/pub/%e2%80%a5/admin/x",
        "/pub/..%e2%88%95admin/x",
        "/%f0%9d%90%9admin/x",
    ] {
        assert_covered(&["/admin/**"], path);
    }
    for path in ["/%c5%bftatus", "/statu%c5%bf", "/STATUS"] {
        assert_covered(&["/status"], path);
    }
    assert_covered(&["/keys"], "/%e2%84%aaeys");
    assert_not_covered(&["/admin/**"], "/%c3%a1dmin/x", "permit_unverified");
}

/// Odd in so many ways that nobody could list what it may mean.
fn odd() -> String {
    "/%2e%2e%2f%5c%3b%3f%23%252f%25%32%66;a\\%u002f%c0%af..%20*:%ff%ef%bc%8f//@(s(x))".repeat(2)
}

#[test]
fn a_path_with_too_many_readings_counts_as_every_path() {
    let path = odd();
    let wanted = ("token_missing".to_owned(), "ambiguous_path".to_owned());
    assert_eq!(decided(&["/never/named"], || Request::new("GET", &path)), wanted);
    let long = format!("/{}%20", "a".repeat(5000));
    assert_eq!(decided(&["/never/named"], || Request::new("GET", &long)), wanted);

    // Rules whose hosts and methods it does not have are not about it.
    let rules = json!([{"methods": ["DELETE"], "paths": ["/x"]},
        {"hosts": ["other.internal"], "paths": ["/x"]}]);
    let config = with(config(), json!({"protected": rules}));
    let decide = |request: Request| reason(&Stage::new(&config).request(1, &request));
    assert_eq!(decide(Request::new("GET", &path)), "no_token");
    assert_eq!(decide(Request::new("DELETE", &path)), "token_missing");
    assert_eq!(
        decide(Request::new("GET", &path).header(":authority", "other.internal")),
        "token_missing"
    );
    // Without rules nothing is refused, and under a token it is not guessed at.
    let token = Key::new(1).sign(&claims());
    let free = crate::support::config();
    let pass = Stage::new(&free).request(1, &Request::new("GET", &path));
    assert_eq!(reason(&pass), "no_token");
    let under = Request::new("GET", &path).header("x-breakglass-token", token);
    assert_refused(&Stage::new(&free).request(1, &under), "ambiguous_path");
}

/// The token's scope covers `/v1/orders`; the ceiling and what is protected is `/admin`.
fn guarded() -> Value {
    let rules = json!([{"paths": ["/admin/**"]}, {"hosts": ["secret.internal"]}]);
    with(config(), json!({"protected": rules, "ceiling": rules}))
}

fn without_token(config: &Value, headers: &[(&str, &str)]) -> String {
    let request =
        headers.iter().fold(Request::new("GET", "/v1/orders"), |request, (name, value)| {
            request.header(name, value)
        });
    reason(&Stage::new(config).request(1, &request))
}

fn under_token(config: &Value, headers: &[(&str, &str)]) -> String {
    let token = Key::new(1).sign(&claims());
    let all = [headers, &[("x-breakglass-token", token.as_str())]].concat();
    without_token(config, &all)
}

#[test]
fn a_header_that_names_another_path_is_a_reading_and_refused_under_a_token() {
    let config = guarded();
    for name in [
        "x-original-url",
        "x-rewrite-url",
        "x-original-uri",
        "x-forwarded-path",
        "x-http-path-override",
        "x_original_url",
        "x-rewrite_url",
    ] {
        for value in [
            "/admin/x",
            "/admin",
            "/ADMIN/x?y",
            "admin/x",
            "/%61dmin/a%2fb",
            "/pub/../admin/x",
            "https://orders.internal/admin/x",
            "//h/admin/x",
            " /admin/x\t",
            "/pub, /admin/x",
            "/admin/x,/pub",
        ] {
            assert_eq!(
                without_token(&config, &[(name, value)]),
                "token_missing",
                "{name}: {value}"
            );
            assert_eq!(under_token(&config, &[(name, value)]), "ceiling", "{name}: {value}");
        }
        for value in ["/pub", "", "/administrator", "\u{e9}", "https://h/pub"] {
            assert_eq!(without_token(&config, &[(name, value)]), "no_token", "{name}: {value}");
            assert_eq!(
                under_token(&config, &[(name, value)]),
                "second_resource",
                "{name}: {value}"
            );
        }
        // The second of two, and beside others.
        let two = [(name, "/pub"), ("x-other", "/x"), (name, "/admin/x")];
        assert_eq!(without_token(&config, &two), "token_missing", "{name}");
        assert_eq!(without_token(&config, &[(name, &odd())]), "token_missing", "{name}");
    }
    let many: Vec<_> = (0..40).map(|_| ("x-original-url", "/pub")).collect();
    assert_eq!(without_token(&config, &many), "token_missing");
    assert_eq!(without_token(&config, &[("x-original-urls", "/admin/x")]), "no_token");
}

#[test]
fn the_answer_names_the_header_that_names_another_path() {
    let token = Key::new(1).sign(&claims());
    for (name, named) in [
        ("x-original-url", "x-original-url"),
        ("X_Rewrite-Url", "x-rewrite-url"),
        ("X-Original-URI", "x-original-uri"),
        ("x-forwarded-path", "x-forwarded-path"),
        ("x-http-path-override", "x-http-path-override"),
    ] {
        // The first of them.
        let request = Request::under(&token).header(name, "/pub").header("x-forwarded-path", "/");
        let step = Stage::new(&config()).request(1, &request);
        assert_refused(&step, "second_resource");
        let breakglass_core::step::Step::Refuse(refusal, _) = step else { panic!() };
        let body: Value = serde_json::from_slice(&refusal.body).unwrap();
        assert_eq!(refusal.reason.status(), 400);
        assert!(body["detail"].as_str().unwrap().contains(&format!("`{named}`")), "{body}");
    }
}

#[test]
fn what_proxies_write_is_a_reading_and_never_refused_for_being_there() {
    let config = guarded();
    for (name, value) in [
        ("x-envoy-original-path", "/admin/x"),
        ("x-envoy-original-path", "/pub/../admin/x?y"),
        ("x-forwarded-uri", "/admin"),
        ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-prefix", "/admin/"),
        ("x-forwarded-prefix", "admin"),
        ("x-forwarded-prefix", "/pub, /admin"),
        ("x-forwarded-prefix", "/admin, /pub"),
        ("x-forwarded-prefix", "/adm, in"),
        ("x-script-name", "/%61dmin"),
        ("x-forwarded-host", "secret.internal"),
        ("x-forwarded-host", "SECRET.internal:8443"),
        ("x-forwarded-host", "orders.internal, secret.internal"),
        ("x-forwarded-host", "secret.internal,orders.internal"),
        ("x-forwarded-host", "user@secret.internal"),
        ("x_forwarded_host", "secret.internal."),
        ("x-original-host", "secret.internal"),
        ("x-envoy-original-host", "secret.internal"),
        ("x-forwarded-server", "secret.internal"),
        ("x-host", "secret.internal"),
        ("forwarded", "host=secret.internal"),
        ("forwarded", "for=192.0.2.1;host=\"secret.internal\";proto=https"),
        ("forwarded", "for=192.0.2.1;Host=\"Secret.Internal:443\""),
        ("forwarded", "for=a;host=orders.internal, for=b;host=\"secret.internal\""),
        ("forwarded", "host=\"secret\\.internal\""),
        ("forwarded", "for=\"a;host=secret.internal"),
        ("forwarded", "host = secret.internal"),
    ] {
        assert_eq!(without_token(&config, &[(name, value)]), "token_missing", "{name}: {value}");
        assert_eq!(under_token(&config, &[(name, value)]), "ceiling", "{name}: {value}");
    }
    for (name, value) in [
        ("x-envoy-original-path", "/pub"),
        ("x-forwarded-uri", "/v1/orders"),
        ("x-forwarded-prefix", "/pub"),
        ("x-forwarded-prefix", "/"),
        ("x-forwarded-prefix", ""),
        ("x-forwarded-host", "orders.internal"),
        ("x-forwarded-host", "a.example, b.example:80,"),
        ("x-forwarded-host", ""),
        ("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43"),
        ("forwarded", "for=\"[2001:db8::1]\";host=orders.internal"),
        ("forwarded", "for=secret.internal"),
        ("x-forwarded-for", "secret.internal"),
        ("x-forwarded-proto", "https"),
    ] {
        assert_eq!(without_token(&config, &[(name, value)]), "no_token", "{name}: {value}");
        assert_eq!(under_token(&config, &[(name, value)]), "permit_unverified", "{name}: {value}");
    }
    let repeated = [("x-forwarded-host", "a.example"), ("x-forwarded-host", "secret.internal")];
    assert_eq!(without_token(&config, &repeated), "token_missing");
}

#[test]
fn a_header_that_no_upstream_obeys_can_be_called_harmless() {
    let harmless = json!({"harmless_second_resources":
        ["X-Original-URL", "x-forwarded-prefix", "x_forwarded_host"]});
    let config = with(guarded(), harmless);
    for (name, value) in [
        ("x-original-url", "/admin/x"),
        ("x_original_url", "/admin/x"),
        ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-host", "secret.internal"),
    ] {
        assert_eq!(without_token(&config, &[(name, value)]), "no_token", "{name}");
        assert_eq!(under_token(&config, &[(name, value)]), "permit_unverified", "{name}");
    }
    assert_eq!(under_token(&config, &[("x-rewrite-url", "/pub")]), "second_resource");
    let permitted = Request::under(&Key::new(1).sign(&claims())).header("x-original-url", "/x");
    assert_permitted(&Stage::new(&config).request(1, &permitted));
}

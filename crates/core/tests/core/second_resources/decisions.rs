//! What a second resource does to a decision: without a token at `protected`, under one at `ceiling`.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, reason, test, with,
};

/// A configuration with these paths as `protected` and as `ceiling`, and a scope that covers everything.
pub(super) fn guarding(rules: &[&str], changes: Value) -> Value {
    let rules = json!([{"paths": rules}]);
    let all = json!([{"name": "orders:read", "paths": ["/", "/**"],
        "methods": ["GET", "PUT", "POST", "COPY", "MOVE", "PROPFIND", "DELETE"]}]);
    with(with(config(), json!({"protected": rules, "ceiling": rules, "scopes": all})), changes)
}

fn token() -> String {
    Key::new(1).sign(&claims())
}

/// A request line and headers.
type Sent<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

pub(super) fn request((method, path, headers): Sent<'_>) -> Request {
    headers
        .iter()
        .fold(Request::new(method, path), |request, (name, value)| request.header(name, value))
}

pub(super) fn without(config: &Value, sent: Sent<'_>) -> String {
    reason(&Stage::new(config).request(1, &request(sent)))
}

pub(super) fn under(config: &Value, sent: Sent<'_>) -> String {
    let request = request(sent).header("x-breakglass-token", token());
    reason(&Stage::new(config).request(1, &request))
}

pub(super) fn assert_covered(config: &Value, sent: Sent<'_>) {
    assert_eq!(without(config, sent), "token_missing", "{sent:?}");
    assert_eq!(under(config, sent), "ceiling", "{sent:?}");
}

/// It names a second resource, but none that a rule covers.
pub(super) fn assert_refused_only_under_a_token(config: &Value, sent: Sent<'_>) {
    assert_eq!(without(config, sent), "no_token", "{sent:?}");
    assert_eq!(under(config, sent), "second_resource", "{sent:?}");
}

/// It names none.
pub(super) fn assert_ordinary(config: &Value, sent: Sent<'_>) {
    assert_eq!(without(config, sent), "no_token", "{sent:?}");
    assert_eq!(under(config, sent), "permit_unverified", "{sent:?}");
}

#[test]
fn the_source_of_a_copy_is_judged() {
    let config = guarding(&["/secret/**"], json!({}));
    for name in [
        "x-amz-copy-source",
        "x-amz-rename-source",
        "x-goog-copy-source",
        "x-oss-copy-source",
        "x-oss-symlink-target",
        "x-cos-copy-source",
        "x-obs-copy-source",
        "x-bce-copy-source",
        "x-tos-copy-source",
        "x-ms-copy-source",
        "x-ms-rename-source",
        "x-ms-file-rename-source",
        "x-copy-from",
        "x-object-manifest",
        "x-symlink-target",
        "destination",
        "x-amz_copy-source",
        "x_ms_copy_source",
    ] {
        for value in [
            "secret/s.txt",
            "/secret/s.txt",
            "secret%2Fs.txt",
            "%2fsecret%2fs.txt",
            "%73ecret/s.txt",
            "secret%252fs.txt",
            "secret/s.txt?versionId=3HL4kqtJlcpXroDTDmJ",
            "/secret/s.txt%3FversionId=1",
            "pub/../secret/s.txt",
            "/pub/../secret/s.txt",
            "pub/x?y/../../../secret/s.txt",
            "pub/x?y/%2e%2e/%2e%2e/../secret/s.txt",
            "//secret/s.txt",
            "///secret//s.txt",
            "https://orders.internal/secret/s.txt",
            "https://orders.internal:443/secret/s.txt?sv=2024&sig=a%2Fb%3D",
            "HTTP://user@h/secret/s.txt",
            "//orders.internal/secret/s.txt",
            "https%3a%2f%2forders.internal%2fsecret%2fs.txt",
            "\\secret\\s.txt",
            " /secret/s.txt\t",
            "/pub/x, /secret/s.txt",
            "/secret/s.txt,/pub/x",
            "SECRET/s.txt",
            "secret./s.txt",
            "secret",
            "/secret/",
        ] {
            assert_covered(&config, ("PUT", "/pub/loot", &[(name, value)]));
        }
        for value in [
            "pub/x",
            "/pub/secrets.txt",
            "pub%2fx?versionId=1",
            "https://h/pub/x",
            "",
            "\u{e9}",
            "?secret",
        ] {
            assert_refused_only_under_a_token(&config, ("PUT", "/pub/loot", &[(name, value)]));
        }
        let two = [(name, "pub/x"), ("x-other", "1"), (name, "secret/s.txt")];
        assert_covered(&config, ("PUT", "/pub/loot", &two));
        let many: Vec<_> = (0..40).map(|_| (name, "pub/x")).collect();
        assert_covered(&config, ("PUT", "/pub/loot", &many));
    }
    assert_ordinary(&config, ("PUT", "/pub/loot", &[("x-amz-copy-sources", "secret/s.txt")]));
    assert_ordinary(&config, ("PUT", "/pub/loot", &[("x-amz-copy-source-range", "bytes=0-9")]));
}

#[test]
fn the_destination_of_a_copy_is_judged() {
    let config = guarding(&["/dav/secret/**", "/db/{doc}"], json!({}));
    for (method, path, destination) in [
        ("COPY", "/dav/pub/x", "http://orders.internal/dav/secret/y"),
        ("MOVE", "/dav/pub/x", "/dav/secret/y"),
        ("MOVE", "/dav/pub/x", "//orders.internal/dav/%73ecret/y"),
        // Relative to the path, and to parts of it: CouchDB, Swift.
        ("COPY", "/dav/pub/x", "../secret/y"),
        ("COPY", "/dav/pub/x", "secret/y"),
        ("COPY", "/db/pub/x", "y"),
        ("COPY", "/dav/pub/x", "/dav/pub/../secret/y"),
        ("COPY", "/%64av/pub/x", "secret/y"),
        ("COPY", "/dav%2fpub/x", "secret/y"),
    ] {
        assert_covered(&config, (method, path, &[("destination", destination)]));
    }
    for destination in ["/dav/pub/y", "http://h/dav/pub/secret", "/secrets", "/dav"] {
        assert_refused_only_under_a_token(
            &config,
            ("COPY", "/dav/pub/x", &[("destination", destination)]),
        );
    }
}

#[test]
fn what_a_registry_mounts_is_judged() {
    let config =
        guarding(&["/v2/secret/app/blobs/{digest}", "/v2/team/{app}/manifests/**"], json!({}));
    let upload = |query: &str| format!("/v2/loot/x/blobs/uploads/?{query}");
    for query in [
        "mount=sha256:abc&from=secret/app",
        "from=secret%2Fapp&mount=sha256%3Aabc",
        "mount=sha256:abc&from=secret%252Fapp",
        "%66rom=secret/app&moun%74=1",
        "FROM=secret/app&Mount=1",
        "from=secret/app&mount",
        "mount&from=secret/app",
        "mount=1;from=secret/app",
        "a?mount=1?from=secret/app",
        "a=b&mount=1&+from=secret/app",
        "from%00=secret/app&mount=1",
        "from%5b%5d=secret/app&mount[]=1",
        "from%5B0%5D=secret/app&mount=1",
        "a=b%26from=secret/app&mount=1",
        "a=b%26from=secret/app%26mount=1",
        "a=1;from=secret/app;mount=1",
        "a?from=secret/app&mount=1",
        "%66rom=secret/app&Mount=1",
        "a%3db%26from%3dsecret/app%26mount%3d1",
        "a=b%2526from%253dsecret%252fapp&mount=1",
        "%2566rom=secret/app&mount=1",
        "%c1%a6rom=secret/app&mount=1",
        "%ef%bd%86rom=secret/app&mount=1",
        "from=pub/app&from=secret/app&mount=1",
        "from=secret/app&from=pub/app&mount=1",
        "mount=1#&from=secret/app",
        "from=secret/app;x&mount=1",
        "from=pub/app,secret/app&mount=1",
        "from=SECRET/app&mount=1",
        "from=pub/../secret/app&mount=1",
        "from=https://h/secret/app&mount=1",
        "from=/secret/app/&mount=1",
    ] {
        assert_covered(&config, ("POST", &upload(query), &[]));
    }
    // Where the query itself begins only by decoding.
    let hidden = "/v2/loot/x/blobs/uploads/%3fmount=1&from=secret/app";
    assert_eq!(without(&config, ("POST", hidden, &[])), "token_missing");
    assert_covered(
        &guarding(&["/v2/secret/app/**"], json!({})),
        ("POST", &upload("mount=1&from=secret/app"), &[]),
    );
    for query in
        ["mount=1&from=pub/app", "from=&mount=", "from&mount=1", "from=secret/apple&mount=1"]
    {
        assert_refused_only_under_a_token(&config, ("POST", &upload(query), &[]));
    }
    // Grafana's times, and much else, are called `from`.
    for query in [
        "from=secret/app",
        "mount=1",
        "from=now-6h&to=now",
        "from=secret/app&amount=1",
        "xfrom=secret/app&mount=1",
        "q=from%3Dsecret/app",
        "",
    ] {
        assert_ordinary(&config, ("POST", &upload(query), &[]));
    }
    let many: String = (0..40).map(|number| format!("from=pub/app{number}&")).collect();
    assert_covered(&config, ("POST", &upload(&format!("{many}mount=1")), &[]));
}

#[test]
fn a_namespace_stands_before_the_path() {
    let config = guarding(&["/v1/team/secret/**", "/ops/v1/sys/**"], json!({}));
    for (path, name, value) in [
        ("/v1/secret/x", "x-vault-namespace", "team"),
        ("/v1/secret/x", "x-vault-namespace", "/team/"),
        ("/v1/secret/x", "x-vault-namespace", "TEAM"),
        ("/v1/secret/x", "x-vault_namespace", "%74eam"),
        ("/v1/secret", "x-consul-namespace", "team"),
        ("/v1/sys/mounts", "x-vault-namespace", "ops"),
        ("/sys/mounts", "x-vault-namespace", "ops/v1"),
        ("/%761/secret/x", "x-vault-namespace", "team"),
        ("/v1/secret/x", "x-vault-namespace", "a, team"),
    ] {
        assert_covered(&config, ("GET", path, &[(name, value)]));
    }
    for (path, value) in [
        ("/v1/secret/x", "other"),
        ("/v1/secret/x", ""),
        ("/v1/x/secret", "team"),
        ("/v1/secret/x", "teams"),
        // It takes the place of nothing.
        ("/v1/pub/secret/x", "team"),
    ] {
        assert_refused_only_under_a_token(&config, ("GET", path, &[("x-vault-namespace", value)]));
    }
    let nested = guarding(&["/v1/a/b/secret/**"], json!({}));
    for (path, value) in
        [("/v1/secret/x", "a/b"), ("/v1/b/secret/x", "a"), ("/v1/secret/x", "a%2fb/")]
    {
        assert_covered(&nested, ("GET", path, &[("x-vault-namespace", value)]));
    }
}

#[test]
fn a_login_inside_a_get_is_judged() {
    let config = guarding(&["/v1/auth/{mount}/login/**", "/v1/team/auth/**"], json!({}));
    let path = "/v1/secret/x";
    assert_covered(
        &config,
        ("GET", path, &[("x-vault-inline-auth-path", "auth/userpass/login/bob")]),
    );
    for (namespace, value) in [
        ("x-vault-inline-auth-namespace", "auth/userpass/me"),
        ("x-vault-namespace", "/auth/userpass/me"),
    ] {
        let headers = [(namespace, "team"), ("x-vault-inline-auth-path", value)];
        assert_covered(&config, ("GET", path, &headers));
    }
    let harmless = [("x-vault-inline-auth-path", "auth/userpass/me")];
    assert_refused_only_under_a_token(&config, ("GET", path, &harmless));
    assert_ordinary(&config, ("GET", path, &[("x-vault-inline-auth-operation", "update")]));
}

#[test]
fn an_account_and_a_container_are_one_resource() {
    let config = guarding(&["/v1/AUTH_secret/docs/**"], json!({}));
    let headers = [("x-copy-from-account", "AUTH_secret"), ("x-copy-from", "/docs/s.txt")];
    assert_covered(&config, ("PUT", "/v1/AUTH_me/pub/loot", &headers));
    let headers = [("destination", "docs/s.txt"), ("destination-account", "AUTH_secret")];
    assert_covered(&config, ("COPY", "/v1/AUTH_me/pub/loot", &headers));
    // An account alone, for the same container.
    assert_covered(
        &config,
        ("COPY", "/v1/AUTH_me/docs/s.txt", &[("destination-account", "AUTH_secret")]),
    );
    let headers = [("x-copy-from-account", "AUTH_other"), ("x-copy-from", "docs/s.txt")];
    assert_refused_only_under_a_token(&config, ("PUT", "/v1/AUTH_me/pub/loot", &headers));
}

#[test]
fn the_host_of_a_second_url_is_judged() {
    let rules = json!([{"hosts": ["secret.internal"]}]);
    let config = guarding(&["/never"], json!({"protected": rules, "ceiling": rules}));
    for value in [
        "https://secret.internal/x",
        "https://user@Secret.Internal:8443/x",
        "//secret.internal/x",
        "\\\\secret.internal\\x",
        "https:%2f%2fsecret.internal%2fx",
        "https%253a%252f%252fsecret.internal/x",
        "https://orders.internal/x, https://secret.internal/x",
        // Nobody can say which host this is.
        "https://secret%ff.internal/x",
    ] {
        assert_covered(&config, ("PUT", "/pub/x", &[("x-ms-copy-source", value)]));
        assert_covered(&config, ("COPY", "/pub/x", &[("destination", value)]));
    }
    for value in
        ["https://orders.internal/secret.internal", "/secret.internal/x", "secret.internal/x"]
    {
        assert_refused_only_under_a_token(&config, ("COPY", "/pub/x", &[("destination", value)]));
    }
}

#[test]
fn a_bucket_may_be_a_part_of_a_host() {
    let rules = json!([{"hosts": ["secret.internal", "secret.orders.internal"]},
        {"hosts": ["*.s3.internal"], "paths": ["/private/**"]}]);
    let config = guarding(&["/never"], json!({"protected": rules, "ceiling": rules}));
    for (name, value) in [
        ("x-amz-copy-source", "secret/s.txt"),
        ("x-amz-copy-source", "/secret/s.txt?versionId=1"),
        ("x-amz-copy-source", "%73ecret%2Fs.txt"),
        ("x-goog-copy-source", "SECRET/s.txt"),
        ("x-cos-copy-source", "secret.orders.internal/s.txt"),
    ] {
        assert_covered(&config, ("PUT", "/loot", &[(name, value)]));
    }
    let at = |host: &str| {
        let request = Request::new("PUT", "/loot").replace(":authority", host);
        let request = request.header("x-amz-copy-source", "pub/private/s.txt");
        reason(&Stage::new(&config).request(1, &request))
    };
    assert_eq!(at("loot.s3.internal"), "token_missing");
    assert_eq!(at("loot.s3.example"), "no_token");
    for (name, value) in [
        ("x-amz-copy-source", "pub/secret"),
        ("x-amz-copy-source", "secrets/s.txt"),
        // Only buckets are a part of a host.
        ("x-ms-copy-source", "secret/s.txt"),
    ] {
        assert_refused_only_under_a_token(&config, ("PUT", "/loot", &[(name, value)]));
    }
}

#[test]
fn the_beginning_of_names_is_all_of_them() {
    let config = guarding(&["/v1/{account}/docs/secret/**"], json!({}));
    let big = |value: &str| {
        let headers = [("x-object-manifest", value)];
        without(&config, ("PUT", "/v1/AUTH_me/pub/big", &headers))
    };
    for value in ["docs/sec", "docs/secret/x", "docs%2Fs", "docs", "docs/secret", "DOCS/SEC"] {
        assert_eq!(big(value), "token_missing", "{value}");
    }
    for value in ["docs/pub", "docs/secrets", "pub/x/docs/sec", "pub_segments/big/1700000000/"] {
        assert_eq!(big(value), "no_token", "{value}");
    }
}

#[test]
fn ordinary_clients_of_these_applications_are_left_alone() {
    let config = guarding(&["/admin/**", "/bucket/private/**", "/v2/private/{app}/**"], json!({}));
    let sas = "https://account.blob.core.windows.net/data/2026/report.csv?sv=2024-11-04&ss=bfqt&srt=sco\
        &sp=rwdlacupiytfx&se=2026-12-31T23%3A59%3A59Z&st=2026-01-01T00%3A00%3A00Z&spr=https\
        &sig=Zm9v%2FYmFy%2BbGlrZSB0aGlz%2FaXMgYSBzaWc%3D";
    let deep = "bucket/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/report%202026%20%28final%29.csv";
    for sent in [
        (
            "PUT",
            "/bucket/new.csv",
            &[("x-amz-copy-source", "/bucket/old%20file%20%281%29.csv")][..],
        ),
        ("PUT", "/bucket/new.csv", &[("x-amz-copy-source", deep)]),
        (
            "PUT",
            "/bucket/a%20b/c%2Bd;e",
            &[("x-amz-copy-source", "bucket/a%20b/c%2Bd%3Be?versionId=x.y-z")],
        ),
        ("PUT", "/data/2026/copy.csv", &[("x-ms-copy-source", sas)]),
        ("MOVE", "/dav/a%20b", &[("destination", "https://dav.internal/dav/c%20d/%C3%A9.txt")]),
        ("POST", "/v2/team/app/blobs/uploads/?from=team%2Fbase&mount=sha256%3Aabc", &[]),
        ("GET", "/v1/secret/data/x", &[("x-vault-namespace", "ops/team")]),
        ("PUT", "/v1/AUTH_x/c/big", &[("x-object-manifest", "c_segments/big/1700000000/")]),
    ] {
        assert_refused_only_under_a_token(&config, sent);
    }
}

#[test]
fn the_answer_says_what_to_leave_away() {
    let problem = |request: &Request| -> Value {
        let step = Stage::new(&config()).request(1, request);
        assert_refused(&step, "second_resource");
        let Step::Refuse(refusal, _) = step else { panic!() };
        assert_eq!(refusal.reason.status(), 400);
        serde_json::from_slice(&refusal.body).unwrap()
    };
    let header = Request::under(&token()).header("X_AMZ-Copy-Source", "pub/x");
    let detail = problem(&header)["detail"].to_string();
    assert!(detail.contains("the header `x-amz-copy-source`"), "{detail}");
    assert!(detail.contains("harmless_second_resources"), "{detail}");
    let parameter =
        Request::new("GET", "/v1/orders?%46rom=x&mount=1").header("x-breakglass-token", token());
    let detail = problem(&parameter)["detail"].to_string();
    assert!(detail.contains("the query parameter `from` beside `mount`"), "{detail}");
    assert!(detail.contains("?from"), "{detail}");
}

#[test]
fn a_configuration_adds_to_what_counts() {
    let more = json!({"path_headers": ["X-Tenant"], "namespace_headers": ["x-realm"],
        "path_parameters": [{"name": "Index"}, {"name": "to", "with": "op"}]});
    let config = guarding(&["/secret/**"], more);
    for (path, headers) in [
        ("/pub/x", &[("x-tenant", "secret")][..]),
        ("/pub/x", &[("x_tenant", "/secret/y")]),
        ("/pub/x", &[("x-realm", "secret")]),
        ("/_search?index=secret", &[]),
        ("/_search?INDEX=pub,secret&q=x", &[]),
        ("/files?op=copy&to=/secret/y", &[]),
        // What counted before does still.
        ("/pub/x", &[("x-amz-copy-source", "secret/y")]),
        ("/pub/x?from=secret&mount=1", &[]),
    ] {
        assert_covered(&config, ("GET", path, headers));
    }
    assert_ordinary(&config, ("GET", "/files?to=/secret/y", &[]));
    assert_refused_only_under_a_token(&config, ("GET", "/pub/x", &[("x-tenant", "pub")]));
    // What proxies write is refused where the configuration says that no proxy writes it.
    let strict = guarding(&["/secret/**"], json!({"path_headers": ["x-forwarded-uri"]}));
    assert_refused_only_under_a_token(&strict, ("GET", "/pub", &[("x-forwarded-uri", "/pub")]));
}

#[test]
fn what_no_upstream_obeys_can_be_called_harmless() {
    let harmless =
        json!({"harmless_second_resources": ["Destination", "x_vault_namespace", "?FROM"]});
    let config = guarding(&["/secret/**"], harmless);
    for (path, headers) in [
        ("/pub/x", &[("destination", "/secret/x")][..]),
        ("/secrets", &[("x-vault-namespace", "secret")]),
        ("/pub/x?mount=1&from=secret/x", &[]),
    ] {
        assert_ordinary(&config, ("GET", path, headers));
    }
    assert_covered(&config, ("GET", "/pub/x", &[("x-amz-copy-source", "/secret/x")]));
}

#[test]
fn many_odd_names_of_parameters_count_as_every_one() {
    let config = guarding(&["/secret/**"], json!({}));
    let odd = |number: usize, value: &str| {
        (0..number).map(|number| format!("%c1%a6%c0%{number:02x}%ff={value}&")).collect::<String>()
    };
    let named = |number, value| format!("/pub?{}mount=1", odd(number, value));
    assert_covered(&config, ("GET", &named(80, "secret/x"), &[]));
    assert_refused_only_under_a_token(&config, ("GET", &named(80, "pub/x"), &[]));
    assert_ordinary(&config, ("GET", &named(3, "secret/x"), &[]));
    let ordinary = "%D0%B8%D0%BC%D1%8F=secret&".repeat(80);
    assert_ordinary(&config, ("GET", &format!("/pub?{ordinary}mount=1"), &[]));
}

#[test]
fn a_request_without_rules_or_a_token_is_not_looked_into() {
    let odd = "/%2e%2e%2f%5c%3b%3f%23%252f%25%32%66;a\\%u002f%c0%af..%20*:%ff%ef%bc%8f//@(s(x))"
        .repeat(60);
    let sent: Sent<'_> = ("PUT", "/pub/x", &[("x-amz-copy-source", &odd)]);
    assert_eq!(without(&config(), sent), "no_token");
    // Where there are rules, what nobody can read counts as every path.
    assert_covered(&guarding(&["/never"], json!({})), sent);
    let permitted = Request::under(&token()).header("x-amz-meta-copy-source", "x");
    assert_permitted(&Stage::new(&config()).request(1, &permitted));
}

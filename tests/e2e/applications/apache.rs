//! Apache's mod_dav, where a header names a second file.

use breakglass_tests::applications::apache::{Apache, HOST};
use breakglass_tests::client::{Request, request};
use breakglass_tests::gate::Gate;
use breakglass_tests::spellings::{Spelling, sample};
use serde_json::{Value, json};

use super::{
    MARKER, OBEYED, OPEN, assert_hidden, contains, passed, permitted, plan, without_rules,
};

const METHODS: [&str; 9] =
    ["GET", "PUT", "DELETE", "PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"];

/// What asks for a lock.
const LOCK: &str = r#"<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"#;

fn server() -> Apache {
    Apache::start(&[
        ("/secret/s.txt", MARKER),
        ("/private.txt", MARKER),
        ("/pub/a.txt", OPEN),
        ("/pub/b.txt", OPEN),
        ("/tree/secret/s.txt", MARKER),
        ("/tree/open.txt", OPEN),
        ("/shelf/secret/s.txt", MARKER),
        ("/shelf/open.txt", OPEN),
    ])
}

fn hidden() -> Value {
    json!([
        {"paths": ["/secret/**", "/tree/secret/**", "/shelf/secret/**"]},
        {"paths": ["/private.txt"]},
        {"methods": ["DELETE", "COPY", "MOVE", "PROPFIND", "PUT"], "paths": ["/shelf"]},
    ])
}

fn dav(method: &str, target: &str) -> Request {
    request(method, target).host(HOST)
}

#[test]
fn a_hidden_file_stays_hidden() {
    let server = server();
    let gate = plan(&server.application, &hidden(), &METHODS).start();
    assert_methods_are_covered(&gate);
    assert_destinations_are_covered(&server, &gate);
    assert_conditions_tell_nothing(&server, &gate);
    assert_trees_need_rules_of_their_own(&server, &gate);
    // The many come last: each check above looks through the whole access log.
    assert_no_spelling_plants_a_file(&server, &gate);
    let open = without_rules(&server.application);
    for path in ["/secret/s.txt", "/private.txt"] {
        assert_hidden(&gate, &open, path);
        assert_eq!(server.file(path).as_deref(), Some(MARKER));
    }
}

fn assert_methods_are_covered(gate: &Gate) {
    let token = gate.mint().scope("all").sign();
    for method in METHODS {
        for target in
            ["/secret/s.txt", "//secret/s.txt", "/secret%2fs.txt", "/secret", "/%73ecret/"]
        {
            gate.refuses(&dav(method, target), 401, "token_missing");
            gate.refuses(&dav(method, target).token(&token), 403, "ceiling");
        }
    }
    let listing = || dav("PROPFIND", "/pub/").header("depth", "1");
    for listed in [passed(gate, &listing()), permitted(gate, &listing().token(&token))] {
        assert!(listed.status == 207 && contains(&listed, "/pub/a.txt"), "{listed:?}");
    }
}

fn assert_destinations_are_covered(server: &Apache, gate: &Gate) {
    let token = gate.mint().scope("all").sign();
    let hidden = [
        "http://files.internal/secret/s.txt",
        "HTTP://files.internal:80/secret/planted.txt",
        "http://files.internal/%73ecret/planted.txt",
        "http://files.internal//secret/planted.txt",
        "http://files.internal/pub/../secret/planted.txt",
        "http://files.internal/private.txt",
        "http://files.internal/secret",
        "//files.internal/secret/planted.txt",
        "/secret/planted.txt",
        "/private.txt",
    ];
    let before = (server.files_in("/secret"), server.files_in("/pub"));
    for destination in hidden {
        for method in ["COPY", "MOVE"] {
            for overwrite in [None, Some("T"), Some("F")] {
                let to = || {
                    let to = dav(method, "/pub/a.txt").header("Destination", destination);
                    overwrite.iter().fold(to, |to, value| to.header("Overwrite", value))
                };
                gate.refuses(&to(), 401, "token_missing");
                gate.refuses(&to().token(&token), 403, "ceiling");
            }
        }
    }
    let twice = |first: &str, second: &str| {
        let first =
            dav("COPY", "/pub/a.txt").header("Destination", format!("http://{HOST}{first}"));
        first.header("destination", format!("http://{HOST}{second}"))
    };
    for both in [("/pub/c.txt", "/secret/c.txt"), ("/secret/c.txt", "/pub/c.txt")] {
        gate.refuses(&twice(both.0, both.1), 401, "token_missing");
        gate.refuses(&twice(both.0, both.1).token(&token), 403, "ceiling");
    }
    // Under a token no destination at all, until a scope can say which; without one what is open stays open.
    let to = |name: &str| format!("http://{HOST}/pub/{name}");
    let copy = |name: &str| dav("COPY", "/pub/a.txt").header("Destination", to(name));
    let refused = gate.refuses(&copy("c.txt").token(&token), 400, "second_resource");
    assert!(contains(&refused.answer, "destination"), "{:?}", refused.answer);
    assert_eq!((server.files_in("/secret"), server.files_in("/pub")), before);
    assert_eq!(passed(gate, &copy("c.txt")).status, 201);
    assert_eq!(server.file("/pub/c.txt").as_deref(), Some(OPEN));
    assert_eq!(passed(gate, &copy("c.txt").header("Overwrite", "F")).status, 412);
    // And a hidden file is not to be had by a copy of it.
    let loot = || dav("COPY", "/secret/s.txt").header("Destination", to("loot.txt"));
    gate.refuses(&loot(), 401, "token_missing");
    gate.refuses(&loot().token(&token), 403, "ceiling");
}

/// No spelling of a hidden path in a `Destination` makes a file there, though Apache obeys some of them elsewhere.
fn assert_no_spelling_plants_a_file(server: &Apache, gate: &Gate) {
    let plant = |path: &str| -> Vec<Request> {
        let destination = |one: Spelling| match &*one.target {
            [b'/', ..] => [b"http://", HOST.as_bytes(), &one.target].concat(),
            _ => one.target,
        };
        let to = |destination| dav("COPY", "/pub/a.txt").header("Destination", destination);
        sample(path, 400).into_iter().map(|one| to(destination(one))).collect()
    };
    let obeys = |request: &Request| {
        let _ = server.application.send(request);
        server.remove("/pub/planted.txt")
    };
    let obeyed = plant("/pub/planted.txt").iter().filter(|request| obeys(request)).count();
    assert!(obeyed >= OBEYED, "Apache obeys {obeyed}");
    let token = gate.mint().scope("all").sign();
    for request in plant("/secret/planted.txt") {
        for request in [request.renewed(), request.token(&token)] {
            let answer = gate.send(&request);
            let hidden = server.files_in("/secret");
            assert_eq!(hidden, ["s.txt"], "{request:?}: {answer:?}");
        }
    }
}

/// `If` may name another resource (RFC 4918 section 10.4), but to Apache its conditions are of the request's own: it
/// tells nothing of a hidden file. So it is no second resource, and clients that lock go on.
fn assert_conditions_tell_nothing(server: &Apache, gate: &Gate) {
    let token = gate.mint().scope("all").sign();
    let hidden = "/secret/s.txt";
    let etag = server.application.send(&dav("GET", hidden));
    let etag = etag.header("etag").unwrap().to_owned();
    let lock = server.application.send(&dav("LOCK", hidden).body(LOCK));
    let lock = lock.header("lock-token").unwrap().to_owned();
    let other = "<opaquelocktoken:5b1f9c2e-0000-4000-8000-000000000000>";
    let of_hidden = |condition: &str| {
        let condition = format!("<http://{HOST}{hidden}> ({condition})");
        let put = dav("PUT", "/pub/b.txt").header("If", condition).body(OPEN).token(&token);
        permitted(gate, &put).status
    };
    for condition in [&format!("[{etag}]"), "[\"x\"]", &lock, other] {
        assert_eq!(of_hidden(condition), 204, "{condition}");
        assert_eq!(of_hidden(&format!("Not {condition}")), 204, "Not {condition}");
    }

    let lock = permitted(gate, &dav("LOCK", "/pub/b.txt").body(LOCK).token(&token));
    let lock = lock.header("lock-token").unwrap().to_owned();
    let put = || dav("PUT", "/pub/b.txt").body(OPEN).token(&token);
    assert_eq!(permitted(gate, &put()).status, 423);
    assert_eq!(permitted(gate, &put().header("If", format!("({lock})"))).status, 204);
}

/// A rule for what is in a tree does not cover what is done to the whole tree (docs/threat-model.md): that takes
/// a rule for its top.
fn assert_trees_need_rules_of_their_own(server: &Apache, gate: &Gate) {
    let token = gate.mint().scope("all").sign();
    let to = |target: &str| format!("http://{HOST}{target}");
    let listing = |target: &str| dav("PROPFIND", target).header("depth", "infinity");
    let copy = |from: &str, to: &str| dav("COPY", from).header("Destination", to);

    assert!(contains(&passed(gate, &listing("/tree/")), "/tree/secret/s.txt"));
    assert_eq!(passed(gate, &copy("/tree/", &to("/loot/"))).status, 201);
    assert!(contains(&passed(gate, &dav("GET", "/loot/secret/s.txt")), MARKER));
    assert_eq!(permitted(gate, &dav("DELETE", "/tree/").token(&token)).status, 204);
    assert_eq!(server.file("/tree/secret/s.txt"), None);

    for target in ["/shelf", "/shelf/", "/shelf/."] {
        for request in [
            listing(target),
            dav("DELETE", target),
            dav("MOVE", target).header("Destination", to("/loot2/")),
            copy(target, &to("/loot2/")),
            copy("/pub/", &to(target)),
        ] {
            gate.refuses(&request, 401, "token_missing");
            gate.refuses(&request.renewed().token(&token), 403, "ceiling");
        }
    }
    assert_eq!(server.file("/shelf/secret/s.txt").as_deref(), Some(MARKER));
    assert_eq!(permitted(gate, &dav("GET", "/shelf/open.txt").token(&token)).status, 200);
}

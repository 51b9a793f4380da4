//! `breakglass keys`, beside a running service.

use std::fs;

use serde_json::Value;

use crate::process::{Ran, Server, breakglass, until};

fn keys(server: &Server, arguments: &[&str]) -> Ran {
    let mut command = breakglass();
    command.args(["--json", "keys"]).args(arguments).arg("--key-dir").arg(server.path("keys"));
    Ran::from(command.output().unwrap())
}

/// The `kid`s in the service's key set, once they are these.
fn publishes(server: &Server, expected: &[&str]) {
    until(|| {
        let set = server.get("alice", "/.well-known/jwks.json");
        let kids: Vec<&str> =
            set["keys"].as_array().unwrap().iter().filter_map(|key| key["kid"].as_str()).collect();
        kids == expected
    });
}

/// With the running service's word for how often its proxies fetch the keys.
#[test]
fn a_key_is_published_for_as_long_as_the_proxies_take_to_fetch_it() {
    let server = Server::start();
    let rotate = |refresh: &str, arguments: &[&str]| {
        let poll = ureq::get(format!("{}/v1/revocations?node=n", server.url))
            .header("authorization", "Bearer token-envoy")
            .header("breakglass-keys", "a")
            .header("breakglass-keys-refresh", refresh);
        assert_eq!(poll.call().unwrap().status(), 200);
        let mut command = server.command("alice", &["keys", "rotate", "--json"]);
        let ran = Ran::from(
            command.arg("--key-dir").arg(server.path("keys")).args(arguments).output().unwrap(),
        );
        let json = ran.json();
        keys(&server, &["retire", json["kid"].as_str().unwrap()]).json();
        let until = json["signs_from"].as_str().unwrap();
        breakglass_server::clock::parse_rfc3339(until).unwrap().seconds() - now()
    };
    for (refresh, arguments, seconds) in
        [("3h", &[][..], 3 * 3600), ("10s", &[], 3600), ("3h", &["--publish-for", "5m"], 300)]
    {
        let published = rotate(refresh, arguments);
        assert!((seconds - 10..=seconds).contains(&published), "{refresh} {published}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the binary goes by the real clock")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn states(server: &Server) -> Vec<(String, String)> {
    let list = keys(server, &["list"]).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(&key["kid"]), text(&key["state"]))).collect()
}

fn refused(ran: &Ran, why: &str) {
    assert!(ran.code == 1 && ran.stderr.contains(why), "{ran:?}");
}

#[test]
fn a_key_is_published_before_it_signs_and_retired_after_it() {
    let server = Server::start();
    let first = states(&server)[0].0.clone();
    let second = keys(&server, &["rotate"]).json()["kid"].as_str().unwrap().to_owned();
    publishes(&server, &[&first, &second]);
    let state = |kid: &str, word: &str| (kid.to_owned(), word.to_owned());
    assert_eq!(states(&server), [state(&first, "signs"), state(&second, "waits")]);
    refused(&keys(&server, &["rotate"]), "waits, and signs from");
    refused(&keys(&server, &["retire", &first]), "signs: `breakglass keys rotate`");

    // The one that waits signs now: no second one is made.
    assert_eq!(keys(&server, &["rotate", "--force"]).json()["kid"], second.as_str());
    assert_eq!(states(&server), [state(&first, "published"), state(&second, "signs")]);
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    // The service looks at its keys every second.
    until(|| {
        server.run("alice", &["token", &id]).done();
        let trail = server.get("grace", "/v1/audit/events?after=");
        trail["events"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["data"]["kid"] == second.as_str())
    });

    // It may have signed a grant that holds.
    refused(&keys(&server, &["retire", &first]), "or with --force if it was stolen");
    keys(&server, &["retire", &first, "--force"]).json();
    publishes(&server, &[&second]);
    refused(&keys(&server, &["retire", &second, "--force"]), "it is the only one");
    let unknown = keys(&server, &["retire", "unknown"]);
    assert!(unknown.code == 3 && unknown.stderr.contains("there is no key unknown"), "{unknown:?}");
    let files = fs::read_dir(server.path("keys")).unwrap().map(|file| file.unwrap().file_name());
    // That of the trail signs no token.
    let files = files.filter(|name| !name.to_string_lossy().starts_with("trail-"));
    assert_eq!(files.count(), 1);
}

/// By the configuration, and by the folders that are there.
#[test]
fn the_keys_of_an_audience_are_listed_rotated_and_retired_apart() {
    let server = Server::start();
    let config = server.path("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let audience = text.split("audience = \"").nth(1).unwrap().split('"').next().unwrap();
    let unknown = keys(&server, &["rotate", "--audience", audience]);
    assert!(
        unknown.code == 3 && unknown.stderr.contains("known here: there are none"),
        "{unknown:?}"
    );
    fs::write(&config, format!("{text}\n[[signing_keys.audiences]]\naudience = \"{audience}\"\n"))
        .unwrap();
    let path = format!("/.well-known/jwks.json?audience={audience}");
    let published = || {
        let set = server.get("alice", &path);
        set["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // The service makes the first key when it reads the file.
    until(|| published().len() == 2);
    let default = published().remove(0);
    let first = published().remove(1);
    let with_config = |arguments: &[&str]| {
        let mut command = breakglass();
        command.args(["--json", "keys"]).args(arguments).arg("--config").arg(&config);
        Ran::from(command.output().unwrap())
    };
    let listed = |ran: Ran| {
        let keys = ran.json()["keys"].as_array().unwrap().clone();
        let one = |key: &Value| (key["audience"].clone(), key["kid"].clone(), key["state"].clone());
        keys.iter().map(one).collect::<Vec<_>>()
    };
    let row = |audience: Value, kid: &str, state: &str| (audience, kid.into(), state.into());
    let all = [row(Value::Null, &default, "signs"), row(audience.into(), &first, "waits")];
    assert_eq!(listed(with_config(&["list"])), all);
    assert_eq!(listed(keys(&server, &["list"])), all);
    assert_eq!(listed(keys(&server, &["list", "--audience", audience])), all[1..]);
    let unknown = with_config(&["list", "--audience", "nowhere"]);
    assert!(
        unknown.code == 3 && unknown.stderr.contains(&format!("known here: {audience}")),
        "{unknown:?}"
    );
    refused(&keys(&server, &["rotate", "--audience", audience]), "waits, and signs from");
    // Each command is for its own keys.
    let rotate = ["rotate", "--force", "--audience", audience];
    assert_eq!(keys(&server, &rotate).json()["kid"], first.as_str());
    let second = keys(&server, &rotate).json()["kid"].as_str().unwrap().to_owned();
    assert_eq!(states(&server)[0], (default.clone(), "signs".to_owned()));
    until(|| published() == [default.clone(), first.clone(), second.clone()]);
    publishes(&server, &[&default]);
    let wrong = keys(&server, &["retire", &first, "--force"]);
    assert!(wrong.code == 3 && wrong.stderr.contains("there is no key"), "{wrong:?}");
    keys(&server, &["retire", &first, "--force", "--audience", audience]).json();
    until(|| published() == [default.clone(), second.clone()]);
}

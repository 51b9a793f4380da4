//! `[incident_check]`: what is taken, what is refused, and what a change of it does.

use breakglass_server::config::Config;
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::Difference;
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::config;

use crate::incidents::{FIELDS, checking};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text).map_err(|error| error.to_string())
}

#[test]
fn what_is_wrong_is_said_with_its_field() {
    let directory = tempfile::tempdir().unwrap();
    let good = checking(&directory, &Receiver::start(), "");
    parse(&good).unwrap();
    let url = good.lines().find(|line| line.starts_with("url = \"http://127")).unwrap();
    let with = |line: &str| format!("{good}{line}\n");
    let at = |template: &str| good.replace(url, &format!("url = \"{template}\""));
    for (text, expected) in [
        (at("http://tickets.test/{incident}"), "incident_check.url: other machines are on the way"),
        (
            at("https://u:p@tickets.test/{incident}"),
            "incident_check.url: expected `https://..`, without user name",
        ),
        (
            at("https://tickets.test/incidents"),
            "incident_check.url: expected a URL with one `{incident}`",
        ),
        (at("https://{incident}/"), "incident_check.url: "),
        (
            with("insecure = true"),
            "incident_check.insecure: the connection is encrypted, or on this machine",
        ),
        (with("timeout = \"11s\""), "incident_check.timeout: "),
        (with("grace = \"61m\""), "incident_check.grace: expected at most 1h"),
        (with("silent = \"allow\""), "incident_check.silent: "),
        (
            with("headers = { authorization = \"Bearer x\" }"),
            "name one with it as `authorization_file`",
        ),
        (with("headers = { Host = \"x\" }"), "the service sets `host` itself"),
        (with("headers = { \"a b\" = \"x\" }"), "expected the name of a header, got `a b`"),
        (with("headers = { x = \"a\\r\\nb\" }"), "expected visible ASCII"),
        (with("until = true"), "incident_check.until: "),
        (
            good.replace("pointer = \"/fields/status\"", "pointer = \"fields\""),
            "incident_check.state.pointer: expected a JSON pointer",
        ),
        (
            good.replace("open = [\"new\", \"active\", \"7\", \"true\"]", "open = []"),
            "incident_check.state.open: ",
        ),
        (
            good.replace("pointers = [\"/fields/owner\"], teams = [\"/fields/teams\"]", ""),
            "incident_check.owner: expected `pointers` or `teams`",
        ),
        (good.replace("incident = \"checked\"", "incident = \"always\""), "scopes[0].incident: "),
        (
            config(&directory).replacen(
                "name = \"orders:read\"\n",
                "name = \"orders:read\"\nincident = \"checked\"\n",
                1,
            ),
            "scopes[0].incident: `checked` needs `[incident_check]`",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!(parse(&with("grace = \"0s\"")).unwrap().incident_check.unwrap().grace, 0);
    parse(
        &at("http://tickets.test/{incident}")
            .replace(FIELDS, &format!("insecure = true\n{FIELDS}")),
    )
    .unwrap();
    let idle = good.replace("incident = \"checked\"", "incident = \"required\"");
    let warnings = parse(&idle).unwrap().warnings();
    assert!(
        warnings.iter().any(|one| one.starts_with("incident_check: no scope has")),
        "{warnings:?}"
    );
    assert!(!parse(&good).unwrap().warnings().iter().any(|one| one.starts_with("incident_check")));
}

#[test]
fn a_change_that_needs_less_of_an_incident_grants() {
    let directory = tempfile::tempdir().unwrap();
    let tracker = Receiver::start();
    let good = checking(&directory, &tracker, "");
    let without = config(&directory).replacen(
        "name = \"alice\"\n",
        "name = \"alice\"\nmail = \"alice@corp.test\"\n",
        1,
    );
    let words = |old: &str, new: &str| {
        let [old, new] = [old, new].map(|text| Config::parse(text).unwrap());
        let none = Definitions::default();
        let changes = Difference::between((&old, &none), (&new, &none)).changes;
        changes.iter().map(|one| format!("{:?} {one}", one.effect())).collect::<Vec<_>>().join("\n")
    };
    let taken = words(&without, &good);
    for line in [
        "TakesAway orders:read takes an incident as `checked`, before as `optional`",
        "TakesAway orders:write takes an incident as `required`, before as `optional`",
        "TakesAway incident_check is there",
    ] {
        assert!(taken.contains(line), "{taken}");
    }
    let granted = words(&good, &without);
    assert!(granted.contains("Grants incident_check is gone"), "{granted}");
    assert!(
        granted.contains("Grants orders:read takes an incident as `optional`, before as `checked`")
    );
    let owed = words(&good, &format!("{good}silent = \"owed\"\n"));
    assert!(owed.starts_with("Grants incident_check is another one"), "{owed}");
    let slower = words(&good, &format!("{good}timeout = \"5s\"\n"));
    assert!(slower.starts_with("Neutral incident_check is reached in another way"), "{slower}");
}

//! `[[sinks]]`: everything that is wrong at once, and which events pass a filter.

use breakglass_server::clock::Moment;
use breakglass_server::config::{Config, InvalidConfig, SinkTo};
use breakglass_server::sinks::Notice;
use breakglass_testing::service::{START, config};

fn parse(sinks: &str) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    match Config::parse(&format!("{}\n{sinks}", config(&directory))) {
        Ok(config) => Ok(config),
        Err(InvalidConfig::Fields(errors)) => Err(errors.iter().map(ToString::to_string).collect()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn everything_that_is_wrong_with_sinks_is_said_at_once() {
    let errors = parse(
        r#"
        [[sinks]]
        name = "On Call"
        type = "webhook"
        url = "https://user@siem.test/"
        types = ["breakglass.request.submited"]
        severity = "bad"
        timeout = "2m"
        retry_for = "48h"
        colour = "red"
        [[sinks]]
        name = "a"
        type = "webhook"
        url = "http://siem.test/"
        url_file = "/x"
        [[sinks]]
        name = "a"
        type = "mail"
        host = "mail.test"
        encryption = "none"
        to = ["no address", "b@corp.example\r\nBcc: c@corp.example"]
        username = "u"
        [[sinks]]
        name = "c"
        type = "slack"
        [[sinks]]
        name = "d"
        type = "pagerduty"
        routing_key_file = "/k"
        insecure = true
        "#,
    )
    .unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "sinks[0].name",
            "sinks[0].url",
            "sinks[0].timeout",
            "sinks[0].retry_for",
            "sinks[0].types[0]",
            "sinks[0].severity",
            "sinks[0].colour",
            "sinks[1].secret_files",
            "sinks[1].url_file",
            "sinks[1].url",
            "sinks[2].to[0]",
            "sinks[2].to[1]",
            "sinks[3].url_file",
            "sinks[4].insecure",
        ],
        "{errors:#?}"
    );
    let mail = "[[sinks]]\nname = \"m\"\ntype = \"mail\"\nhost = \"mail.test\"\nencryption = \"none\"\nusername = \"u\"";
    let errors = parse(mail).unwrap_err();
    for field in [
        "from: is required",
        "to: is required",
        "password_file: is required",
        "encryption: other machines",
    ] {
        assert!(errors.iter().any(|error| error.contains(field)), "{field}: {errors:#?}");
    }
    let twice = "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"/u\"\n".repeat(2);
    assert_eq!(parse(&twice).unwrap_err(), ["sinks[1].name: `s` is also the name of another sink"]);
}

#[test]
fn plain_http_is_for_this_machine_or_said_in_words() {
    let webhook = |url: &str, more: &str| {
        format!(
            "[[sinks]]\nname = \"w\"\ntype = \"webhook\"\nsecret_files = [\"/s\"]\nurl = \"{url}\"\n{more}"
        )
    };
    for url in
        ["https://siem.test/x?y=1", "http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost/"]
    {
        assert!(parse(&webhook(url, "")).is_ok(), "{url}");
    }
    assert!(parse(&webhook("http://siem.test/", "insecure = true")).is_ok());
    for url in [
        "http://siem.test/",
        "http://127.0.0.1.evil.test/",
        "http://localhost.evil.test/",
        "ftp://siem.test/",
        "https://siem.test/#x",
        "siem.test",
    ] {
        assert_eq!(parse(&webhook(url, "")).unwrap_err().len(), 1, "{url}");
    }
    let config =
        parse("[[sinks]]\nname = \"p\"\ntype = \"pagerduty\"\nrouting_key_file = \"/k\"").unwrap();
    let SinkTo::PagerDuty { url, .. } = &config.sinks[0].to else { panic!() };
    assert_eq!(url.as_str(), "https://events.pagerduty.com/v2/enqueue");
}

#[test]
fn an_event_passes_a_filter_that_it_meets_wholly() {
    let now = Moment::from_seconds(START);
    let submitted = Notice::example("breakglass.request.submitted", now);
    let mut emergency = submitted.clone();
    emergency.asked.as_mut().unwrap().emergency = true;
    let lost = Notice::example("breakglass.directory.mass_loss", now);
    let alert = Notice::example("breakglass.alert.out_of_scope", now);
    for (filter, expected) in [
        ("", [true, true, true]),
        ("types = [\"*\"]", [true, true, true]),
        ("types = [\"breakglass.request.*\", \"breakglass.alert.*\"]", [true, false, true]),
        ("types = [\"breakglass.request.submitted\"]", [true, false, false]),
        ("types = [\"breakglass.alert.out_of_scope\"]", [false, false, true]),
        ("severity = \"notice\"", [true, true, true]),
        ("severity = \"warning\"", [false, true, true]),
        ("severity = \"critical\"", [false, true, false]),
        ("audiences = [\"payments-prod\"]", [true, false, false]),
        ("audiences = [\"payments\"]", [false, false, false]),
        ("scopes = [\"orders:write\", \"x\"]", [true, false, false]),
        ("scopes = [\"x\"]", [false, false, false]),
        ("severity = \"warning\"\naudiences = [\"payments-prod\"]", [false, false, false]),
    ] {
        let entry =
            format!("[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"/u\"\n{filter}");
        let filter = &parse(&entry).unwrap().sinks[0].filter;
        assert_eq!([&submitted, &lost, &alert].map(|one| one.passes(filter)), expected, "{entry}");
    }
    let loud =
        "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"/u\"\nseverity = \"critical\"";
    let loud = &parse(loud).unwrap().sinks[0].filter;
    assert!(emergency.passes(loud) && !submitted.passes(loud));
}

/// What docs/notifications.md says of the configuration and of severities.
#[test]
fn the_document_has_sinks_of_every_kind_and_every_type_by_its_severity() {
    use breakglass_api::events::EventType;
    use breakglass_api::words::Vocabulary as _;
    let document = include_str!("../../../../docs/notifications.md");
    let example =
        document.split("```toml service part\n").nth(1).unwrap().split("```").next().unwrap();
    let sinks = parse(example).unwrap().sinks;
    let kinds: Vec<&str> = sinks.iter().map(|sink| sink.to.word()).collect();
    assert_eq!(kinds, ["slack", "mail", "pagerduty", "webhook", "otlp"]);
    let mut documented: Vec<(&str, &str)> = Vec::new();
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    for row in rows {
        let mut words = row.split('`').skip(1).step_by(2);
        let severity = words.next().unwrap();
        documented.extend(words.map(|kind| (kind, severity)));
    }
    documented.sort_unstable();
    let mut all: Vec<(&str, &str)> =
        EventType::ALL.iter().map(|one| (one.word(), one.severity().word())).collect();
    all.sort_unstable();
    assert_eq!(documented, all);
}

/// Which groups of approvers are not told of requests: in the configuration of all tests, commanders, dbas and loners approve.
#[test]
fn a_group_of_approvers_that_no_sink_tells_is_warned_of() {
    let slack = |more: &str| {
        format!(
            "[[sinks]]\nname = \"s{}\"\ntype = \"slack\"\nurl_file = \"/x\"\n{more}\n",
            more.len()
        )
    };
    let people = "[[sinks]]\nname = \"people\"\ntype = \"mail\"\nhost = \"mail.test\"\nfrom = \"b@corp.example\"\nto_people = true\n";
    let untold = |sinks: &str| -> Vec<String> {
        let warnings = parse(sinks).unwrap().warnings().into_iter();
        let of_sinks = warnings.filter(|one| one.starts_with("sinks"));
        of_sinks.map(|one| one.split('`').nth(1).unwrap().to_owned()).collect()
    };
    let all = ["commanders", "dbas", "loners"];
    let groups = "approver_groups = [\"commanders\", \"dbas\", \"loners\"]";
    assert!(untold("").is_empty(), "that no person is told is meant");
    assert_eq!(untold(&slack("")), all);
    assert!(untold(&slack(groups)).is_empty());
    assert_eq!(untold(&slack("approver_groups = [\"dbas\"]")), ["commanders", "loners"]);
    // What the filters leave out is not told.
    assert_eq!(untold(&slack(&format!("{groups}\ntypes = [\"breakglass.request.denied\"]"))), all);
    assert_eq!(untold(&slack(&format!("{groups}\nseverity = \"warning\""))), all);
    let of_prod = untold(&slack(&format!("{groups}\naudiences = [\"prod\"]")));
    assert_eq!(of_prod, ["commanders"], "of staging");
    // No address is known, and people cannot sign in.
    assert_eq!(untold(people), all);
    let warnings = parse(&slack("approver_groups = [\"comanders\"]")).unwrap().warnings();
    let idle = "the group `comanders` approves no scope";
    assert!(warnings.iter().any(|one| one.contains(idle)), "{warnings:?}");
}

#[test]
fn mail_goes_to_mailboxes_or_to_people() {
    let mail = "[[sinks]]\nname = \"m\"\ntype = \"mail\"\nhost = \"mail.test\"\nfrom = \"b@corp.example\"\n";
    let both = parse(&format!("{mail}to = [\"a@corp.example\"]\nto_people = true")).unwrap_err();
    assert!(
        both[0].starts_with("sinks[0].to_people: expected either `to` or `to_people`"),
        "{both:?}"
    );
    let neither = parse(mail).unwrap_err();
    assert!(neither[0].contains("to: is required"), "{neither:?}");
    let slack = "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"/x\"\nto_people = true";
    assert!(parse(slack).unwrap_err()[0].contains("it is for `mail`"));
    let config = parse(&format!("{mail}to_people = true")).unwrap();
    assert!(config.sinks[0].writes_to_people() && !config.sinks[0].is_channel());
}

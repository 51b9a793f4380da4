//! The examples of docs/incidents.md, each against an answer of the shape that the vendor's reference documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use breakglass_server::config::Config;
use breakglass_testing::receiver::{Receiver, Reply};
use breakglass_testing::service::{START, Service, config};
use serde_json::{Value, json};

use crate::incidents::{ask, says};

/// Each example by the title above it.
fn examples() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/incidents.md");
    let text = fs::read_to_string(path).unwrap();
    let sections = text.split("\n### ").skip(1).map(|section| {
        let title = section.lines().next().unwrap().to_owned();
        let block = section.split("```toml service part\n").nth(1).unwrap();
        (title, block.split("```").next().unwrap().to_owned())
    });
    sections.collect()
}

/// An answer of the vendor about an incident in this state, which this person has and opened; and what is asked for `INC7`.
fn answer(vendor: &str, state: &str, mail: &str, name: &str) -> (Value, &'static str) {
    match vendor {
        "ServiceNow" => (
            json!({ "result": [{
                "number": "INC0000007", "state": state, "assigned_to.email": mail, "assignment_group.name": "Network",
                "opened_by.email": mail,
            }] }),
            "/api/now/table/incident?sysparm_query=number%3DINC7&sysparm_limit=1\
             &sysparm_fields=number,state,assigned_to.email,assignment_group.name,opened_by.email",
        ),
        "Jira" => (
            json!({ "id": "10002", "key": "INC-7", "self": "https://corp.atlassian.net/rest/api/3/issue/10002", "fields": {
                "status": { "name": "Any", "id": "3", "statusCategory": {
                    "id": 4, "key": state, "colorName": "yellow", "name": "In Progress" } },
                "assignee": { "accountId": "5b10", "displayName": name, "emailAddress": mail, "active": true },
                "reporter": { "accountId": "5b11", "displayName": name, "emailAddress": mail, "active": true },
            } }),
            "/rest/api/3/issue/INC7?fields=status,assignee,reporter",
        ),
        "PagerDuty" => (
            json!({ "incident": {
                "id": "PT4KHLK", "type": "incident", "incident_number": 1234, "status": state,
                "assignments": [{ "at": "2015-11-10T00:31:52Z", "assignee": {
                    "id": "PXPGF42", "type": "user_reference", "summary": name } }],
                "teams": [{ "id": "PQ9K7I8", "type": "team_reference", "summary": "Engineering" }],
            } }),
            "/incidents/INC7",
        ),
        "GitHub" => (
            json!({ "id": 1, "number": 1347, "state": state, "title": "Found a bug", "user": { "login": name, "id": 1 },
                "assignee": { "login": name }, "assignees": [{ "login": "octocat" }, { "login": name }] }),
            "/repos/corp/incidents/issues/INC7",
        ),
        other => panic!("no vendor {other}"),
    }
}

#[tokio::test]
async fn each_example_reads_what_its_vendor_answers() {
    let examples = examples();
    assert_eq!(examples.keys().collect::<Vec<_>>(), ["GitHub", "Jira", "PagerDuty", "ServiceNow"]);
    for (vendor, example) in examples {
        let (open, closed) = match vendor.as_str() {
            "ServiceNow" => ("2", "6"),
            "Jira" => ("indeterminate", "done"),
            "PagerDuty" => ("acknowledged", "resolved"),
            _ => ("open", "closed"),
        };
        let tracker = Receiver::start();
        let base = tracker.url.strip_suffix("/events").unwrap();
        let host = example.split("url = \"").nth(1).unwrap().split('/').nth(2).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let secret = directory.path().join("authorization");
        fs::write(&secret, "Bearer of-the-vendor").unwrap();
        let file =
            example.split("authorization_file = \"").nth(1).unwrap().split('"').next().unwrap();
        let example = example
            .replace(&format!("https://{host}"), base)
            .replace(file, &secret.display().to_string());
        let text = config(&directory)
            .replacen("name = \"alice\"\n", "name = \"alice\"\nmail = \"alice@corp.test\"\n", 1)
            .replacen(
                "name = \"orders:read\"\n",
                "name = \"orders:read\"\nincident = \"checked\"\n",
                1,
            );
        let text = format!("{text}\n{example}timeout = \"10s\"\n");
        Config::parse(&text).unwrap();
        let service = Service::start_with(directory, &text, START).await;

        let of = |state: &str, mail: &str, name: &str| {
            let body = answer(&vendor, state, mail, name).0;
            move |_: usize, _: &_| says(body.clone())
        };
        tracker.answers(of(open, "alice@corp.test", "alice"));
        let view = ask(&service, "INC7").await.ok();
        let check = &view["incident_check"];
        let own = vendor != "PagerDuty";
        assert_eq!(
            (&check["state"], &check["own_incident"]),
            (&json!(open), &json!(own)),
            "{vendor}"
        );
        let call = tracker.calls().pop().unwrap();
        assert_eq!(call.path, answer(&vendor, "", "", "").1);
        assert_eq!(call.header("authorization"), "Bearer of-the-vendor");
        tracker.answers(of(closed, "alice@corp.test", "alice"));
        assert_eq!(ask(&service, "INC7").await.refusal(), (403, "incident_closed"), "{vendor}");
        tracker.answers(of(open, "bob@corp.test", "bob"));
        assert_eq!(ask(&service, "INC7").await.refusal(), (403, "incident_not_yours"), "{vendor}");
        tracker.answers(move |_, _| Reply::Status(404, "", "{}"));
        assert_eq!(ask(&service, "INC7").await.refusal(), (403, "incident_unknown"), "{vendor}");
        if vendor == "ServiceNow" {
            tracker.answers(|_, _| says(json!({ "result": [] })));
            assert_eq!(ask(&service, "INC7").await.refusal(), (403, "incident_unknown"));
        }
    }
}

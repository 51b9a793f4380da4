//! `breakglass review` on the command line.

use std::fs;

use serde_json::{Value, json};

use crate::stand_in::{GRANT, PARENT, REQUEST, REVIEW, Reply, StandIn, good};

fn digest() -> String {
    "ab".repeat(32)
}

#[test]
fn reviews_are_listed_and_shown() {
    let service = StandIn::start(|_, call| good(call));
    let listed = service.run(&["review", "list", "--state", "owed", "--mine", "--after", "rev_2"]);
    let line = listed.done();
    let starts = format!("{REVIEW}  owed      alice  orders:read  {GRANT}  due ");
    assert!(line.starts_with(&starts), "{line}");
    let sent = &service.calls()[0];
    assert_eq!(sent.path, "/v1/reviews?state=owed&mine=true&after=rev_2");
    let json = service.run(&["review", "list", "--json"]).json();
    assert_eq!(json["reviews"][0]["id"], REVIEW);
    assert_eq!(service.run(&["review", "list", "--state", "lost"]).code, 3);
    let shown = service.run(&["review", "show", REVIEW]);
    let text = shown.done();
    for line in [
        format!("review    {REVIEW}"),
        "rules     orders".to_owned(),
        "reviewers frank".to_owned(),
        format!("request   {REQUEST}"),
        "ended     revoked by carol at 2026-11-22T02:20:00Z".to_owned(),
        "approval  by carol as commanders at 2026-11-22T02:20:00Z".to_owned(),
        format!("mutual    alice approved {PARENT} of carol at 2026-11-22T02:20:00Z"),
        "used      not known".to_owned(),
        format!("digest    {}", digest()),
    ] {
        assert!(text.lines().any(|one| one.starts_with(&line)), "{line}: {text}");
    }
    assert_eq!(service.run(&["review", "show", REVIEW, "--json"]).json()["digest"], digest());
}

#[test]
fn what_is_signed_is_what_was_shown() {
    let service = StandIn::start(|_, call| good(call));
    let signed =
        service.run(&["review", "sign", REVIEW, "--yes", "--note", "as the incident says"]);
    assert_eq!((signed.code, signed.stdout.as_str()), (0, "signed\n"), "{signed:?}");
    assert!(signed.stderr.contains("reviewers frank"), "it is shown: {signed:?}");
    let sent = &service.calls()[1];
    assert!(sent.is("POST", &format!("/v1/reviews/{REVIEW}/sign")), "{sent:?}");
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(body, json!({ "digest": digest(), "note": "as the incident says" }));
    let disputed = service.run(&["review", "dispute", REVIEW, "--yes", "--note", "why?"]);
    assert_eq!((disputed.code, disputed.stdout.as_str()), (0, "disputed\n"), "{disputed:?}");
    assert_eq!(service.run(&["review", "dispute", REVIEW, "--yes"]).code, 3, "a note is required");
    // Without a person to ask, the command line has to say yes.
    let asked = service.run(&["review", "sign", REVIEW]);
    assert_eq!(asked.code, 3, "{asked:?}");
    assert!(asked.stderr.contains(&format!("breakglass review sign {REVIEW} --yes")), "{asked:?}");
    // The one that was named is sent, and what comes back is compared with it.
    let named = "cd".repeat(32);
    let ran = service.run(&["review", "sign", REVIEW, "--yes", "--digest", &named]);
    assert_eq!(ran.code, 1, "the answer is of another one: {ran:?}");
    let sent: Value = serde_json::from_str(&service.calls().last().unwrap().body).unwrap();
    assert_eq!(sent["digest"], named);
}

#[test]
fn the_verdict_over_the_log_is_sent_in_short() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("verdict.json");
    let verdict = |verdict: &str| {
        json!({ "v": 1, "verdict": verdict, "checked": 12,
            "integrity": { "verdict": "ok", "counts": { "changed": 0 }, "findings": [] },
            "completeness": { "verdict": "incomplete", "counts": { "missing": 2 }, "findings": [] },
            "notes": { "counts": { "open_end": 1 }, "findings": [] } })
        .to_string()
    };
    fs::write(&file, verdict("incomplete")).unwrap();
    let service = StandIn::start(|_, call| good(call));
    let path = file.to_str().unwrap();
    service.run(&["review", "sign", REVIEW, "--yes", "--log-verdict", path]).done();
    let sent: Value = serde_json::from_str(&service.calls()[1].body).unwrap();
    assert_eq!(sent["log"]["verdict"], "incomplete");
    assert_eq!(sent["log"]["checked"], 12);
    assert_eq!(sent["log"]["findings"], json!({ "missing": 2, "open_end": 1 }));
    assert_eq!(sent["log"]["sha256"].as_str().unwrap().len(), 64);
    // Another file has another digest.
    fs::write(&file, verdict("ok")).unwrap();
    service.run(&["review", "sign", REVIEW, "--yes", "--log-verdict", path]).done();
    let other: Value = serde_json::from_str(&service.calls()[3].body).unwrap();
    assert_ne!(other["log"]["sha256"], sent["log"]["sha256"]);
    // What the check itself writes is read.
    let log = folder.path().join("log");
    fs::write(&log, "").unwrap();
    let log = log.to_str().unwrap();
    let real = service.run(&["audit", "verify", "--heads", "URL", "--allow-empty", "--json", log]);
    fs::write(&file, &real.stdout).unwrap();
    let calls = service.calls().len();
    service.run(&["review", "sign", REVIEW, "--yes", "--log-verdict", path]).done();
    let sent: Value = serde_json::from_str(&service.calls()[calls + 1].body).unwrap();
    assert_eq!(sent["log"]["verdict"], real.json()["verdict"]);
    assert_eq!(sent["log"]["checked"], 0);
    let calls = service.calls().len();
    for text in ["", "{}", "[]", "ok"] {
        fs::write(&file, text).unwrap();
        let ran = service.run(&["review", "sign", REVIEW, "--yes", "--log-verdict", path]);
        assert_eq!(ran.code, 3, "{text}: {ran:?}");
    }
    assert_eq!(
        service.calls().len(),
        calls,
        "nothing was asked for with a file that is no verdict"
    );
}

#[test]
fn the_answer_of_another_review_is_no_success() {
    for (member, value) in [("id", json!("rev_2")), ("state", json!("owed"))] {
        let other = StandIn::start(move |_, call| {
            let Reply::Json(status, mut answer) = good(call) else { return good(call) };
            if call.method == "POST" {
                answer[member] = value.clone();
            }
            Reply::Json(status, answer)
        });
        for verb in ["sign", "dispute"] {
            let ran = other.run(&["review", verb, REVIEW, "--yes", "--note", "n"]);
            assert_eq!(ran.code, 1, "{member} {verb}: {ran:?}");
        }
    }
    // What is shown is of another grant than that of the review.
    let mixed = StandIn::start(|_, call| {
        let Reply::Json(status, mut answer) = good(call) else { return good(call) };
        if call.method == "GET" {
            answer["review"]["request"] = json!(PARENT);
        }
        Reply::Json(status, answer)
    });
    assert_eq!(mixed.run(&["review", "show", REVIEW]).code, 1);
    let none = StandIn::start(|_, _| Reply::Json(200, json!({ "reviews": [], "next": null })));
    let ran = none.run(&["review", "list"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "no reviews\n"));
}

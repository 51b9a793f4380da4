//! `breakglass audit heads`: one JSON document of all pages, or none that looks complete.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::process::{Ran, Server, breakglass};
use breakglass_testing::heads::head;
use breakglass_testing::service::token_of;

/// A service that gives these answers, one a connection, and then is gone. Its URL.
fn answering(answers: Vec<(u16, Value)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (status, body) in answers {
            let (mut connection, _) = listener.accept().unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"\r\n\r\n") {
                let count = connection.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            let body = body.to_string();
            let kind = if status < 400 { "json" } else { "problem+json" };
            write!(
                connection,
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/{kind}\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    url
}

fn heads(url: &str, arguments: &[&str]) -> Ran {
    let mut command = breakglass();
    command.args(["audit", "heads", "--url", url]).args(arguments);
    Ran::from(command.env("BREAKGLASS_API_TOKEN", "token").output().unwrap())
}

fn page(seqs: &[i64], next: Option<i64>) -> (u16, Value) {
    let heads: Vec<Value> = seqs.iter().map(|seq| head(*seq, 'a')).collect();
    (200, json!({ "as_of": "2026-11-22T02:13:00Z", "heads": heads, "next": next }))
}

#[test]
fn all_pages_are_one_document() {
    for arguments in [[].as_slice(), &["--json"]] {
        let url = answering(vec![page(&[1, 2], Some(2)), page(&[], Some(3)), page(&[3], None)]);
        let ran = heads(&url, arguments);
        let document = ran.json();
        assert_eq!(ran.code, 0);
        let seqs: Vec<_> =
            document["heads"].as_array().unwrap().iter().map(|head| &head["seq"]).collect();
        assert_eq!(seqs, [1, 2, 3]);
        assert_eq!(document["as_of"], "2026-11-22T02:13:00Z");
        assert_eq!(document["next"], Value::Null);
        assert_eq!(document.as_object().unwrap().len(), 3);
    }
}

#[test]
fn no_heads_are_a_document_too() {
    let ran = heads(&answering(vec![page(&[], None)]), &[]);
    assert_eq!((ran.code, &ran.json()["heads"]), (0, &json!([])));
}

#[test]
fn a_page_that_is_not_had_leaves_no_document() {
    let refused = |status| (status, json!({ "reason": "r", "detail": "d", "status": status }));
    for (last, code) in [
        (Some(refused(503)), 1),
        (Some(refused(403)), 2),
        (Some(refused(400)), 3),
        (Some((200, json!("not a page of ours"))), 1),
        (Some((200, json!({ "as_of": "2026-11-22T02:13:00Z", "heads": [] }))), 1),
        (Some(page(&[3], Some(1))), 1),
        (None, 1),
    ] {
        for arguments in [[].as_slice(), &["--json"]] {
            for whole in 0..3 {
                let mut answers = vec![page(&[1], Some(1)), page(&[2], Some(2))];
                answers.truncate(whole);
                answers.extend(last.clone());
                let ran = heads(&answering(answers), arguments);
                assert_eq!(ran.code, code, "{whole}: {ran:?}");
                assert!(!ran.stderr.is_empty());
                let document = serde_json::from_str::<Value>(&ran.stdout);
                let heads = document.map(|document| document["heads"].clone());
                assert!(!matches!(heads, Ok(Value::Array(_))), "{whole}: {ran:?}");
                if whole > 0 {
                    assert!(serde_json::from_str::<Value>(&ran.stdout).is_err(), "{ran:?}");
                }
            }
        }
    }
}

#[test]
fn it_is_what_the_service_lists() {
    let server = Server::start();
    let body = json!({ "node": "n1", "heads": [head(1, 'a'), head(2, 'b')] });
    ureq::post(format!("{}/v1/audit/heads", server.url))
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .send_json(&body)
        .unwrap();
    let document = server.run("grace", &["audit", "heads"]).json();
    let seqs: Vec<_> =
        document["heads"].as_array().unwrap().iter().map(|head| &head["seq"]).collect();
    assert_eq!(seqs, [1, 2]);
    let later = server.run("grace", &["audit", "heads", "--since", "9000-01-01T00:00:00Z"]).json();
    assert_eq!(later["heads"].as_array().unwrap().len(), 1);
    assert_eq!(later["heads"][0]["seq"], 2);
    assert_eq!(server.run("frank", &["audit", "heads"]).code, 2);
}

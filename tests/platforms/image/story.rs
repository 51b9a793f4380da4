//! The story in the pod that is shipped: it becomes ready, a person asks, another approves, the token holds until it is
//! revoked; the commands of the document run in it; and it ends in time.

use std::fs;
use std::thread;
use std::time::Duration;

use breakglass_tests::artefacts::root;
use breakglass_tests::client::request;
use breakglass_tests::wait::{timed, until};
use serde_json::Value;

use crate::engine::engine;
use crate::pod::{ALICE, BOB, PROXY, Pod};

/// What the service may take to end: polls that hang are answered at once. A kubelet gives it thirty seconds.
const END: Duration = Duration::from_secs(5);

/// A request, approved: the grant and its token.
pub(crate) fn grant(pod: &Pod) -> (String, String) {
    let words = ["--reason", "orders are stuck", "--incident", "INC-42", "--again"];
    let asked = [&["request", "--scope", "orders:read", "--duration", "30m"], &words[..]].concat();
    let asked = pod.exec_as(ALICE, &asked).done();
    let grant = pod.exec_as(BOB, &["approve", &asked, "--yes"]).done();
    (grant, pod.exec_as(ALICE, &["token", &asked]).done())
}

/// Whether the proxy is told that a token holds.
pub(crate) fn holds(pod: &Pod, token: &str) -> bool {
    let ask = request("POST", "/oauth2/introspect").body(format!("token={token}"));
    let answer = pod.send(PROXY, ask.header("content-type", "application/x-www-form-urlencoded"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 200, "{body}");
    body["active"].as_bool().unwrap()
}

/// The feed of revocations, after an epoch.
fn feed(pod: &Pod, query: &str) -> Value {
    let answer = pod.send(PROXY, request("GET", format!("/v1/revocations?{query}")));
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// The words of the commands that docs/ would have run in the pod.
fn documented() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for name in ["docs/install/kubernetes.md", "docs/operations.md", "docs/approval-service.md"] {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("kubectl "));
        let commands = lines.filter_map(|line| line.split_once(" exec deployment/approvals -- "));
        found.extend(commands.map(|(_, words)| words.split(' ').map(str::to_owned).collect()));
    }
    found
}

#[test]
fn the_pod_serves_backs_up_and_ends_in_time() {
    let pod = Pod::start();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let answer = pod.probe(probe).unwrap();
        assert_eq!(answer.status, 200, "{probe}: {answer:?}");
    }
    let metrics = request("GET", "/metrics").send(pod.port("metrics"));
    assert_eq!(metrics.status, 200, "{metrics:?}");
    let more = request("GET", "/readyz").send(pod.port("metrics"));
    assert_eq!(more.status, 404, "no more than metrics: {more:?}");

    let (first, token) = grant(&pod);
    assert!(holds(&pod, &token));
    pod.exec_as(BOB, &["revoke", &first, "--reason", "resolved"]).done();
    assert!(!holds(&pod, &token));
    let epoch = feed(&pod, "after=0")["epoch"].as_u64().unwrap();
    assert_eq!(epoch, 1);

    let commands = documented();
    assert_eq!(commands.len(), 1, "commands in the documents: {commands:?}");
    for words in &commands {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let files = pod.exec(&words).done();
        assert_eq!(
            files,
            "/var/lib/breakglass/before-0.2.0/approvals.db\n/var/lib/breakglass/before-0.2.0/approvals-evidence.db"
        );
        // A second one says that there is one.
        assert_ne!(pod.exec(&words).code, Some(0));
    }
    for shell in ["sh", "/bin/sh", "bash", "busybox", "sqlite3"] {
        let ran = pod.exec(&[shell, "-c", "true"]);
        assert!(matches!(ran.code, Some(126 | 127)), "no {shell}: {ran:?}");
    }

    let (hanging, took) = thread::scope(|scope| {
        let poll = scope.spawn(|| feed(&pod, &format!("after={epoch}&wait=25s&node=envoy-1")));
        until("the poll", || {
            let metrics = request("GET", "/metrics").send(pod.port("metrics"));
            let text = String::from_utf8(metrics.body).unwrap();
            text.contains("breakglass_feed_hanging_polls 1\n").then_some(())
        });
        let (code, took) = timed(|| pod.stop());
        assert_eq!(code, 0, "{}", pod.log());
        (poll.join().unwrap(), took)
    });
    assert!(took < END, "it took {took:?} to end");
    assert_eq!(hanging["epoch"], epoch);
    println!("   ended {took:?} after SIGTERM, with a poll that hung");

    pod.start_again();
    assert!(!holds(&pod, &token), "the volume has it");
    let (_, another) = grant(&pod);
    assert!(holds(&pod, &another));
}

#[test]
fn it_starts_in_a_moment() {
    let (version, took) = timed(|| engine().program(&[], &["--version"]).done());
    println!("   {version} ran and ended as a container in {took:?}");
    let (pod, took) = timed(Pod::start);
    let inside = engine().inspect(pod.container())["State"]["StartedAt"].to_string();
    println!(
        "   the pod answered {took:?} after it was asked for; the engine started it at {inside}"
    );
    println!("   the service's log begins: {}", pod.log().lines().next().unwrap());
}

//! `breakglass revoke`, `proxies` and `done`, with proxies that read the feed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::process::{Server, until};
use breakglass_testing::service::{config, token_of};

/// Reads the feed as a proxy does, until it is dropped.
struct Proxy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One poll, as the proxy.
fn poll(url: &str, node: &str, after: i64, wait: &str) -> Value {
    let url = format!("{url}/v1/revocations?after={after}&node={node}{wait}");
    let request = ureq::get(url).header("authorization", format!("Bearer {}", token_of("envoy")));
    request.call().unwrap().body_mut().read_json().unwrap()
}

impl Proxy {
    fn start(server: &Server, node: &'static str) -> Proxy {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, url) = (Arc::clone(&stop), server.url.clone());
        let thread = std::thread::spawn(move || {
            let mut after = 0;
            while !stopped.load(Ordering::SeqCst) {
                after = poll(&url, node, after, "&wait=1s")["epoch"].as_i64().unwrap();
            }
        });
        let proxy = Proxy { stop, thread: Some(thread) };
        until(|| server.run("erin", &["proxies"]).done().contains(node));
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A grant of alice's that carol has approved, and its request.
fn grant(server: &Server) -> (String, String) {
    let id = server.pending();
    let grant = server.run("carol", &["approve", &id, "--yes"]).done();
    (id, grant.trim().to_owned())
}

#[test]
fn revoke_all_says_how_many_and_waits_for_every_proxy() {
    let server = Server::start();
    let proxies = [Proxy::start(&server, "envoy-1"), Proxy::start(&server, "envoy-2")];
    grant(&server);
    grant(&server);
    let ran = server.run("carol", &["revoke", "--all", "--reason", "keys leaked", "--wait"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "revoked 2\n"), "{ran:?}");
    for words in [
        "revoked 2 grants",
        "envoy-1 (envoy): confirmed",
        "envoy-2 (envoy): confirmed",
        "2 of 2 at epoch 2\n",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    drop(proxies);
    let (_, grant) = grant(&server);
    let ran = server.run("carol", &["revoke", &grant, "--reason", "r", "--json"]);
    assert_eq!((ran.code, &ran.json()["epoch"]), (0, &3.into()), "{ran:?}");
}

#[test]
fn revoke_wait_ends_with_1_when_a_proxy_does_not_confirm() {
    let server = Server::start();
    let proxy = Proxy::start(&server, "envoy-1");
    poll(&server.url, "silent", 0, "");
    let (_, grant) = grant(&server);
    let arguments = ["revoke", &grant, "--reason", "r", "--wait", "--timeout", "2s"];
    let ran = server.run("carol", &arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "revoked\n"), "{ran:?}");
    assert!(ran.stderr.contains("envoy-1 (envoy): confirmed"), "{ran:?}");
    assert!(ran.stderr.contains("silent (envoy): not confirmed, at epoch 0"), "{ran:?}");
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.starts_with("1 of 2 at epoch 1, 1 stale for "), "{ran:?}");

    let listed = server.run("erin", &["proxies"]).done();
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("envoy-1  envoy  epoch 1  current  here  "), "{listed}");
    assert!(lines[1].starts_with("silent  envoy  epoch 0  1 behind  stale for "), "{listed}");
    let json = server.run("erin", &["proxies", "--json"]).json();
    assert_eq!((&json["epoch"], &json["proxies"][1]["node"]), (&1.into(), &"silent".into()));

    poll(&server.url, "silent", 1, "");
    assert_eq!(server.run("carol", &arguments).code, 0, "it has confirmed since");
    drop(proxy);
}

/// That nobody reads the feed is no confirmation, and stdout has its one JSON value all the same.
/// The proxies come back with what they know, and are answered from there.
#[test]
fn a_restart_keeps_epochs_and_finds_the_proxies_again() {
    let mut server = Server::start();
    let (_, first) = grant(&server);
    server.run("carol", &["revoke", &first, "--reason", "r"]).done();
    let before = poll(&server.url, "envoy-1", 0, "");
    assert_eq!(before["epoch"], 1);
    assert_eq!(server.stop("TERM"), Some(0));
    let directory = std::mem::replace(&mut server.directory, tempfile::tempdir().unwrap());
    std::fs::remove_file(directory.path().join("ready")).unwrap();
    let text = config(&directory);
    let server = Server::start_with(directory, &text);
    assert_eq!(server.run("erin", &["proxies"]).done(), "");
    let known = poll(&server.url, "envoy-1", 1, "");
    assert_eq!((&known["epoch"], &known["reset"]), (&1.into(), &false.into()));
    assert_eq!(known["feed"], before["feed"]);
    assert!(server.run("erin", &["proxies"]).done().starts_with("envoy-1  envoy  epoch 1"));
    let (_, second) = grant(&server);
    let ran = server.run("carol", &["revoke", &second, "--reason", "r", "--json"]);
    assert_eq!(ran.json()["epoch"], 2);
}

#[test]
fn revoke_wait_ends_with_1_when_no_proxy_is_known() {
    let server = Server::start();
    let (_, grant) = grant(&server);
    let ran = server
        .run("carol", &["revoke", &grant, "--reason", "r", "--wait", "--timeout", "1s", "--json"]);
    assert_eq!((ran.code, &ran.json()["epoch"]), (1, &1.into()), "{ran:?}");
    assert!(ran.stderr.contains("no proxy reads the feed"), "{ran:?}");
    let none = server.run("erin", &["proxies"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""));
}

#[test]
fn revoke_by_name_tells_what_it_did_not_do() {
    let server = Server::start();
    grant(&server);
    let waiting = server.pending();
    let refused = server.run("dave", &["revoke", "--subject", "alice", "--reason", "r"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains("orders:read"), "{refused:?}");
    let none = server.run("carol", &["revoke", "--incident", "INC-7", "--reason", "r"]);
    assert!(none.stderr.contains("nothing was revoked"), "{none:?}");
    assert_eq!(none.done(), "revoked 0\n");
    let ran = server.run("carol", &["revoke", "--scope", "orders:read", "--reason", "r", "--json"]);
    assert_eq!((ran.code, &ran.json()["revoked"]), (0, &1.into()), "{ran:?}");
    assert!(server.run("alice", &["status", &waiting]).done().contains("pending"));
}

#[test]
fn done_hands_back_the_only_grant_or_the_one_that_is_named() {
    let server = Server::start();
    let (first, _) = grant(&server);
    assert_eq!(server.run("carol", &["done"]).code, 3, "carol holds none");
    assert_eq!(server.run("carol", &["done", &first]).code, 3, "it is not carol's");
    assert_eq!(server.run("alice", &["done"]).done(), "handed back\n");
    let status = server.run("alice", &["status", &first]).done();
    assert!(status.contains("by alice") && status.contains("handed back by its holder"));

    let (second, grant_of_second) = grant(&server);
    let (_, third) = grant(&server);
    let several = server.run("alice", &["done"]);
    assert_eq!((several.code, several.stdout.as_str()), (3, ""), "{several:?}");
    assert!(several.stderr.contains(&grant_of_second) && several.stderr.contains(&third));
    server.run("alice", &["done", &second]).done();
    server.run("alice", &["done", &third]).done();
    server.run("alice", &["done", &third]).done();
    let waiting = server.pending();
    assert_eq!(server.run("alice", &["done", &waiting]).code, 3, "it has no grant");
}

#[test]
fn revoke_names_what_looks_alike() {
    let server = Server::start();
    let request = ["request", "--scope", "orders:read", "--reason", "r", "--incident", "inc-7"];
    let id = server.run("alice", &request).done();
    server.run("carol", &["approve", id.trim(), "--yes"]).done();
    let ran = server.run("carol", &["revoke", "--incident", "\u{406}NC-7", "--reason", "r"]);
    assert!(ran.stderr.contains("looks alike: \"inc-7\": 1 revoked, 0 that you"), "{ran:?}");
    assert_eq!(ran.done(), "revoked 1\n");
}

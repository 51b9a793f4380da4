//! RabbitMQ's management, which has names with a slash, with curl.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_tests::client::{Answer, Request, request};
use serde_json::{Value, json};

use crate::application::{Application, Ran, debian, free_port};
use crate::application_gate::ApplicationGate;
use crate::spelled::Resource;

const MARKER: &str = "only-the-owner-of-secret-reads-this";

/// `guest:guest`.
const GUEST: (&str, &str) = ("authorization", "Basic Z3Vlc3Q6Z3Vlc3Q=");

/// A management with the queue `orders` of the vhost `/`, the queue `contents` of the vhost `orders`, and a
/// queue in each of the vhosts `/` and `secret` that has the marker.
fn management() -> Application {
    let mut rabbit = Application::new();
    let configuration = format!(
        "listeners.tcp = none\nmanagement.tcp.ip = {}\nmanagement.tcp.port = {}\n",
        rabbit.address().ip(),
        rabbit.address().port()
    );
    fs::write(rabbit.path("rabbitmq.conf"), configuration).unwrap();
    fs::write(rabbit.path("enabled_plugins"), "[rabbitmq_management].").unwrap();
    erlang(&rabbit.path("erl"));
    // Its nodes find each other by a service of Erlang's, which would stay behind if they started it.
    let finder = free_port().to_string();
    rabbit.spawn(debian("usr/lib/erlang/bin/epmd"), |command| {
        command.env("ERL_EPMD_PORT", &finder).env("ERL_EPMD_ADDRESS", "127.0.0.1");
    });
    let node = free_port();
    let path = |name: &str| rabbit.path(name);
    let set = [
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", path("mnesia")),
        ("RABBITMQ_LOG_BASE", path("logs")),
        ("RABBITMQ_LOGS", "-".into()),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        ("RABBITMQ_NODENAME", format!("breakglass-{node}@localhost").into()),
        ("RABBITMQ_DIST_PORT", node.to_string().into()),
    ];
    let search = std::env::var("PATH").unwrap_or_default();
    let search = format!("{}:{search}", rabbit.path("").display());
    rabbit.spawn(program(), |command| {
        command.envs(set).env("PATH", search).env("ERL_EPMD_PORT", &finder);
    });
    rabbit.until_ready("/api/overview", &[GUEST]);
    for vhost in ["orders", "secret"] {
        put(&rabbit, &format!("/api/vhosts/{vhost}"), "{}");
        put(
            &rabbit,
            &format!("/api/permissions/{vhost}/guest"),
            r#"{"configure": ".*", "write": ".*", "read": ".*"}"#,
        );
    }
    let marked = json!({"arguments": {"marker": MARKER}}).to_string();
    for (queue, body) in [
        ("%2F/orders", "{}"),
        ("orders/contents", "{}"),
        ("secret/q", &marked),
        ("%2F/secret", &marked),
    ] {
        put(&rabbit, &format!("/api/queues/{queue}"), body);
    }
    rabbit
}

/// Debian's `erl` looks where Debian installs it.
fn erlang(wrapper: &Path) {
    let root = debian("usr/lib/erlang");
    let folders = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let mut runtimes = folders.filter(|path| path.join("bin/erlexec").exists());
    let bin: PathBuf = runtimes.next().expect("erts").join("bin");
    let script = format!(
        "#!/bin/sh\nexport ROOTDIR={} BINDIR={bin} EMU=beam PROGNAME=erl\nexec {bin}/erlexec \"$@\"\n",
        root.display(),
        bin = bin.display()
    );
    fs::write(wrapper, script).unwrap();
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755)).unwrap();
}

fn program() -> PathBuf {
    let versions = fs::read_dir(debian("usr/lib/rabbitmq/lib")).unwrap();
    let mut versions = versions.map(|entry| entry.unwrap().path().join("sbin/rabbitmq-server"));
    versions.next().expect("a RabbitMQ")
}

fn put(rabbit: &Application, path: &str, body: &str) {
    let answer = ask(rabbit, "PUT", path, body);
    assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
}

fn ask(rabbit: &Application, method: &str, path: &str, body: &str) -> Answer {
    let host = rabbit.address().to_string();
    rabbit.ask(&request(method, path).host(&host).header(GUEST.0, GUEST.1).body(body))
}

/// Whether the queue is there.
fn has(rabbit: &Application, queue: &str) -> bool {
    match ask(rabbit, "GET", &format!("/api/queues/{queue}"), "").status {
        200 => true,
        404 => false,
        other => panic!("{queue}: {other}"),
    }
}

/// Puts a message into the queue `orders` of the vhost `/`.
fn publish(rabbit: &Application) {
    let body = json!({"properties": {}, "routing_key": "orders", "payload": "an order",
        "payload_encoding": "string"});
    let answer = ask(rabbit, "POST", "/api/exchanges/%2F/amq.default/publish", &body.to_string());
    assert_eq!(answer.json()["routed"], true, "{answer:?}");
}

/// Takes a message from there, and puts it back: how many there are, at most one.
fn messages(rabbit: &Application) -> usize {
    let body = json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let answer = ask(rabbit, "POST", "/api/queues/%2F/orders/get", &body.to_string());
    answer.json().as_array().unwrap_or_else(|| panic!("{answer:?}")).len()
}

fn scopes() -> Value {
    json!([{"name": "queues:list", "methods": ["GET"], "paths": ["/api/queues", "/api/queues/{vhost}/{queue}"]},
        {"name": "queues:work", "methods": ["GET", "DELETE", "PUT"], "paths": ["/api/queues/**"]}])
}

/// A gate whose Envoy does so with encoded slashes.
fn slashes(rabbit: &Application, action: &str) -> ApplicationGate {
    ApplicationGate::with(rabbit.address(), &json!({"scopes": scopes()}), |plan| {
        plan.start_with(|settings| {
            let mut bootstrap = settings.bootstrap(Path::new(""));
            let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
            let manager = bootstrap.pointer_mut(manager).unwrap();
            manager["path_with_escaped_slashes_action"] = json!(action);
            manager["normalize_path"] = json!(true);
            manager["merge_slashes"] = json!(true);
            bootstrap.to_string()
        })
    })
}

/// Asks with curl, which follows redirects.
fn curl(rabbit: &Application, arguments: &[&str]) -> Ran {
    rabbit.client("curl", |command: &mut Command| {
        command.args(["--silent", "--show-error", "--fail", "--location", "--max-time", "20"]);
        command.args(["--user", "guest:guest"]).args(arguments);
    })
}

const PURGE: &str = "/api/queues/%2F/orders/contents";

#[test]
fn a_purge_of_the_default_vhost_reaches_that_queue_or_nothing() {
    let rabbit = management();
    publish(&rabbit);
    let kept = slashes(&rabbit, "KEEP_UNCHANGED");
    // Under a token an encoded slash can be read in two ways: that is a limit.
    let token = kept.token(&["queues:work"]);
    let purge = |gate: &ApplicationGate| as_guest(gate.request("DELETE", PURGE));
    kept.refuses(&purge(&kept).token(&token), 400, "ambiguous_path");
    assert_eq!(messages(&rabbit), 1);
    let header = format!("x-breakglass-token: {token}");
    let url = format!("{}{PURGE}", kept.url());
    let refused = curl(&rabbit, &["--request", "DELETE", "--header", &header, &url]);
    assert!(!refused.success && refused.stderr.contains("400"), "{refused:?}");
    assert_eq!(messages(&rabbit), 1);
    // Without one it reaches the queue that it names.
    curl(&rabbit, &["--request", "DELETE", &url]).done();
    assert_eq!(messages(&rabbit), 0);
    assert!(has(&rabbit, "%2F/orders") && has(&rabbit, "orders/contents"));
    kept.verified();

    // What the redirect makes of it, which clients follow with DELETE.
    publish(&rabbit);
    let redirecting = slashes(&rabbit, "UNESCAPE_AND_REDIRECT");
    let answer = redirecting.send(&purge(&redirecting));
    assert_eq!(answer.status, 307, "{answer:?}");
    assert_eq!(answer.header("location"), Some("/api/queues/orders/contents"), "{answer:?}");
    curl(&rabbit, &["--request", "DELETE", &format!("{}{PURGE}", redirecting.url())]).done();
    assert_eq!(messages(&rabbit), 1, "the queue that was named is as it was");
    assert!(!has(&rabbit, "orders/contents"), "and another one is gone");
}

fn as_guest(request: Request) -> Request {
    request.header(GUEST.0, GUEST.1)
}

#[test]
fn queues_are_listed_in_scope() {
    let rabbit = management();
    let rules = json!({"scopes": scopes(), "protected": [{"paths": ["/**"]}]});
    let gate = ApplicationGate::new(rabbit.address(), &rules);
    let token = gate.token(&["queues:list"]);
    let header = format!("x-breakglass-token: {token}");
    let ask = |path: &str| curl(&rabbit, &["--header", &header, &format!("{}{path}", gate.url())]);
    let listed: Value =
        serde_json::from_str(&ask("/api/queues?columns=vhost,name").done()).unwrap();
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|queue| &queue["name"]).collect();
    assert_eq!(listed, ["orders", "secret", "contents", "q"]);
    let queue: Value = serde_json::from_str(&ask("/api/queues/orders/contents").done()).unwrap();
    assert_eq!(queue["name"], "contents");
    assert!(!ask("/api/users").success);
    assert!(!curl(&rabbit, &[&format!("{}/api/queues", gate.url())]).success);
    gate.recorded("GET", "/api/queues", "allow", "permit");
    gate.recorded("GET", "/api/queues/orders/contents", "allow", "permit");
    gate.recorded("GET", "/api/users", "deny", "out_of_scope");
    gate.recorded("GET", "/api/queues", "deny", "token_missing");
    assert_eq!(gate.verified(), 4);
}

#[test]
fn no_spelling_of_a_queue_passes() {
    let rabbit = management();
    for (path, rule) in [
        ("/api/queues/secret/q", "/api/queues/secret/q"),
        ("/api/queues/%2F/secret", "/api/queues/**"),
    ] {
        let queue = Resource { path, rule, marker: MARKER, headers: &[GUEST], reachable: 5 };
        queue.assert_held(rabbit.address());
    }
}

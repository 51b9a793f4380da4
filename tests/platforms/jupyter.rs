//! Jupyter's server, with Jupyter's client of a remote server.

use std::fs;
use std::io::{BufReader, Write};
use std::process::Command;

use breakglass_tests::client::{Answer, connect, new_id, request};
use serde_json::{Value, json};

use crate::application::{Application, python};
use crate::application_gate::ApplicationGate;
use crate::spelled::Resource;

const MARKER: &str = "only-the-owner-of-secret-reads-this";

/// A server whose folder has `secret.txt` with the marker; who reaches it may do everything.
fn server() -> Application {
    let mut jupyter = Application::new();
    let root = jupyter.path("files");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("secret.txt"), MARKER).unwrap();
    let root = format!("--ServerApp.root_dir={}", root.display());
    start(&mut jupyter, |command| {
        command.arg(root);
    });
    jupyter
}

/// A server of one's own that has its kernels from the one behind the gate, with a token.
fn own_server(gate: &ApplicationGate, token: &str) -> Application {
    let mut jupyter = Application::new();
    let url = format!("--GatewayClient.url={}", gate.url());
    start(&mut jupyter, |command| {
        let headers = json!({"x-breakglass-token": token}).to_string();
        command.arg(url).arg("--GatewayClient.gateway_retry_max=0");
        command.env("JUPYTER_GATEWAY_HEADERS", headers);
    });
    jupyter
}

fn start(jupyter: &mut Application, set_up: impl FnOnce(&mut Command)) {
    let port = jupyter.address().port();
    jupyter.spawn(python(), |command| {
        command.args(["-m", "jupyter_server", "--allow-root", "--ServerApp.ip=127.0.0.1"]);
        command.arg(format!("--ServerApp.port={port}")).arg("--ServerApp.port_retries=0");
        command.args(["--IdentityProvider.token=", "--ServerApp.password="]);
        command.args(["--ServerApp.open_browser=False", "--ServerApp.disable_check_xsrf=True"]);
        set_up(command);
    });
    jupyter.until_ready("/api", &[]);
}

/// Reading anything; working with files; running code, with the upgrade to a WebSocket and without.
fn scopes() -> Value {
    let kernels = json!({"methods": ["GET", "POST", "DELETE"],
        "paths": ["/api/kernels", "/api/kernels/**", "/api/kernelspecs", "/api/kernelspecs/**"]});
    let named = |name: &str, upgrades: Option<Value>| {
        let mut scope = kernels.clone();
        scope["name"] = json!(name);
        if let Some(upgrades) = upgrades {
            scope["upgrades"] = upgrades;
        }
        scope
    };
    json!([{"name": "any:read", "methods": ["GET"], "paths": ["/api/**"]},
        {"name": "files:work", "methods": ["GET", "PUT", "DELETE"], "paths": ["/api/contents/**"]},
        named("kernels:start", None), named("kernels:run", Some(json!(["websocket"])))])
}

/// Opens the WebSocket of a kernel: the answer to the handshake.
fn open_channels(gate: &ApplicationGate, kernel: &str, token: &str) -> (String, Answer) {
    let (id, mut connection) = (new_id(), connect(gate.address()));
    let head = format!(
        "GET /api/kernels/{kernel}/channels HTTP/1.1\r\nhost: {}\r\nx-request-id: {id}\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-breakglass-token: {token}\r\n\r\n",
        gate.address()
    );
    connection.write_all(head.as_bytes()).unwrap();
    let answer = Answer::read(&mut BufReader::new(&connection), "GET").unwrap();
    (id, answer)
}

#[test]
fn who_may_read_runs_no_code() {
    let jupyter = server();
    let gate = ApplicationGate::new(
        jupyter.address(),
        &json!({"scopes": scopes(), "unauthenticated": "deny"}),
    );
    let host = jupyter.address().to_string();
    let kernel = jupyter.ask(&request("POST", "/api/kernels").host(&host).body("{}")).json();
    let kernel = kernel["id"].as_str().unwrap();

    let reader = gate.token(&["any:read"]);
    let listed = gate.permits(&gate.get("/api/kernels").token(&reader));
    assert_eq!(listed.json()[0]["id"], kernel);
    let (id, answer) = open_channels(&gate, kernel, &reader);
    assert_eq!(answer.status, 403, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["reason"], "out_of_scope");
    // The remedy is the scope that has it.
    let remedy = problem["remedy"].as_str().unwrap();
    assert!(remedy.contains("kernels:run") && !remedy.contains("kernels:start"), "{problem}");
    let record = gate.harness.envoy.record(&id);
    assert_eq!(record.audit().unwrap().of("upgrade"), "websocket");

    let runner = gate.token(&["kernels:run"]);
    let (id, answer) = open_channels(&gate, kernel, &runner);
    assert_eq!(answer.status, 101, "{answer:?}");
    let record = gate.harness.envoy.record(&id);
    assert_eq!(record.audit().unwrap().of("upgrade"), "websocket");
    gate.verified();
}

#[test]
fn code_runs_under_a_scope_with_the_upgrade_only() {
    let jupyter = server();
    let gate = ApplicationGate::new(
        jupyter.address(),
        &json!({"scopes": scopes(), "unauthenticated": "deny"}),
    );
    let run = |token: &str, file: &str| {
        let path = jupyter.path("files").join(file);
        let code = format!("open({path:?}, 'w').close(); print(6 * 7)");
        let own = own_server(&gate, token);
        let ran = own.python_client("notebook.py", &[&format!("http://{}", own.address()), &code]);
        (ran, path.exists())
    };
    let (ran, written) = run(&gate.token(&["kernels:run"]), "run");
    assert!(written, "{ran:?}");
    assert_eq!(ran.done(), "42\n");
    let (ran, written) = run(&gate.token(&["kernels:start"]), "start");
    assert!(!ran.success && !written, "{ran:?}");
    gate.recorded("POST", "/api/kernels", "allow", "permit");
    gate.verified();
}

#[test]
fn files_are_read_and_written_in_scope() {
    let jupyter = server();
    let gate = ApplicationGate::new(
        jupyter.address(),
        &json!({"scopes": scopes(), "unauthenticated": "deny"}),
    );
    let token = gate.token(&["files:work"]);
    let body = json!({"type": "file", "format": "text", "content": "hello"}).to_string();
    let put = gate.request("PUT", "/api/contents/new.txt").token(&token).body(body);
    assert_eq!(gate.permits(&put).status, 201);
    let read = gate.permits(&gate.get("/api/contents/new.txt").token(&token)).json();
    assert_eq!(read["content"], "hello");
    gate.refuses(&gate.get("/files/new.txt").token(&token), 403, "out_of_scope");
    gate.refuses(&gate.get("/api/contents/new.txt"), 401, "token_missing");
    assert_eq!(gate.verified(), 4);
}

#[test]
fn no_spelling_of_a_file_passes() {
    let jupyter = server();
    for path in ["/api/contents/secret.txt", "/files/secret.txt"] {
        let file = Resource { path, rule: path, marker: MARKER, headers: &[], reachable: 5 };
        file.assert_held(jupyter.address());
    }
}

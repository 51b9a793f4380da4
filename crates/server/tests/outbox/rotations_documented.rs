//! The receiver of docs/rotation.md takes what the service sends, and nothing else.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use breakglass_testing::receiver::{Receiver, Taken};
use breakglass_testing::service::{START, Service};
use serde_json::Value;

use super::deliveries::{SECRET, until};
use super::rotations::{hook, list, owed, with_hooks};

/// Ends with the test.
struct Python(Child);

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The documented receiver with this secret; what its command was told is in `told` of the folder. Its URL.
async fn start(folder: &Path, secret: &str) -> (Python, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::create_dir_all(folder.join("done")).unwrap();
    fs::write(folder.join("hook-secret"), secret).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rotation_receiver.py");
    let child = Command::new("python3")
        .arg(script)
        .arg(free.to_string())
        .args([folder.join("hook-secret"), folder.join("done")])
        // It fails the first time.
        .args(["sh", "-c", "cat >> told; echo >> told; test -e tried || { touch tried; exit 1; }"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let python = Python(child);
    until(async || TcpStream::connect(("127.0.0.1", free)).is_ok()).await;
    (python, format!("http://127.0.0.1:{free}/"))
}

/// The service, by the time that it is: the receiver compares it with its own.
#[expect(clippy::disallowed_methods, reason = "the receiver judges the call by real time")]
async fn service(url: &str) -> Service {
    let mut receiver = Receiver::start();
    receiver.url = url.to_owned();
    let directory = tempfile::tempdir().unwrap();
    let text = with_hooks(&directory, &hook("orders", &receiver, ""), &[("orders:read", "orders")]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    assert!(now > START);
    let service = Service::start_with(directory, &text, now).await;
    tokio::spawn(breakglass_server::tasks::rotations::keep_rotating(service.app.clone()));
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_receiver_rotates_once_what_the_service_calls_for() {
    let folder = tempfile::tempdir().unwrap();
    let (_python, url) = start(folder.path(), SECRET).await;
    let service = service(&url).await;
    let id = owed(&service).await;
    until(async || {
        service.advance(1);
        list(&service, "grace", "?state=done").await["rotations"][0].is_object()
    })
    .await;
    let told = || fs::read_to_string(folder.path().join("told")).unwrap();
    // Its command failed once, and was run again.
    let lines: Vec<Value> =
        told().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["id"], &lines[1]), (&Value::from(id.clone()), &lines[0]));
    assert!(folder.path().join("done").join(&id).exists());
    // A call that is made again is taken, and does nothing.
    let signed = signed_again(&lines[0], &id);
    assert_eq!(post(&url, &signed), 204);
    assert_eq!(told().lines().count(), 2);
    // What is not the service's is refused: another body, no signature, an old time.
    let mut changed = signed.clone();
    changed.body.push(b' ');
    assert_eq!(post(&url, &changed), 401);
    let mut unsigned = signed.clone();
    unsigned.headers.retain(|(name, _)| name != "webhook-signature");
    assert_eq!(post(&url, &unsigned), 401);
    let mut old = signed;
    for (name, value) in &mut old.headers {
        if name == "webhook-timestamp" {
            *value = "1".to_owned();
        }
    }
    assert_eq!(post(&url, &old), 401);
    assert_eq!(told().lines().count(), 2);
}

/// The same event once more, signed now.
#[expect(clippy::disallowed_methods, reason = "the receiver judges the call by real time")]
fn signed_again(event: &Value, id: &str) -> Taken {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (at, body) = (now.as_secs().to_string(), event.to_string().into_bytes());
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let signed = [format!("{id}.{at}.").as_bytes(), &body].concat();
    let signature = format!("v1,{}", STANDARD.encode(ring::hmac::sign(&key, &signed)));
    let headers =
        [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", &signature)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Taken { path: "/".to_owned(), headers, body, status: 0 }
}

fn post(url: &str, call: &Taken) -> u16 {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent =
        ureq::Agent::new_with_config(config.timeout_global(Some(Duration::from_secs(10))).build());
    let mut request = agent.post(url);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    request.send(call.body.as_slice()).unwrap().status().as_u16()
}

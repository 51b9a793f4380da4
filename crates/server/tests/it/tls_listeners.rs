//! Several listeners: each has the endpoints of its callers, and no others.

use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};

use breakglass_testing::service::START;

use crate::tls::{Files, Listening, connect, exchange, request};

#[tokio::test]
async fn each_listener_has_the_endpoints_of_its_callers_alone() {
    let files = Files::new();
    let socket = files.path("api.sock");
    let tail = format!(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\nserves = [\"people\"]\n[listeners.tls]\n{}\
         [[listeners]]\naddress = \"127.0.0.1:0\"\nserves = [\"proxies\"]\n[listeners.tls]\n{}\
         [[listeners]]\naddress = \"127.0.0.1:0\"\nserves = [\"metrics\"]\n\
         [[listeners]]\naddress = \"unix:{}\"\n",
        files.tls(""),
        files.mutual(""),
        socket.display(),
    );
    let listening = Listening::start("", &tail).await;
    let schemes: Vec<&str> =
        listening.urls.iter().map(|url| url.split(':').next().unwrap()).collect();
    assert_eq!(schemes, ["https", "https", "http", "unix"]);
    let rows = [
        // Method, path, credential: what people, proxies, Prometheus and the Unix socket are answered.
        ("GET", "/v1/requests", "alice", [200, 404, 404, 200]),
        ("GET", "/openapi.json", "alice", [200, 404, 404, 200]),
        ("GET", "/v1/revocations", "envoy", [405, 200, 404, 200]),
        // The same path for other callers by another method.
        ("POST", "/v1/revocations", "envoy", [403, 405, 404, 403]),
        ("POST", "/v1/audit/heads", "alice", [405, 403, 404, 403]),
        ("GET", "/metrics", "alice", [404, 404, 200, 200]),
        ("GET", "/healthz", "alice", [200, 200, 200, 200]),
        ("GET", "/readyz", "alice", [200, 200, 200, 200]),
        ("GET", "/.well-known/jwks.json", "alice", [200, 200, 200, 200]),
    ];
    let client = files.client(None);
    for (method, path, who, expected) in rows {
        let text = request(Some(who), method, path, &Value::Null);
        let mut people = connect(listening.address(0), &client).await.unwrap();
        let mut proxies = connect(listening.address(1), &client).await.unwrap();
        let mut metrics = TcpStream::connect(listening.address(2)).await.unwrap();
        let mut unix = UnixStream::connect(&socket).await.unwrap();
        let answers = [
            exchange(&mut people, &text).await.unwrap().0,
            exchange(&mut proxies, &text).await.unwrap().0,
            exchange(&mut metrics, &text).await.unwrap().0,
            exchange(&mut unix, &text).await.unwrap().0,
        ];
        assert_eq!(answers, expected, "{method} {path}");
    }
    // Only where people are served does a person's credential count.
    let detail = request(Some("grace"), "GET", "/healthz?detail=1", &Value::Null);
    let mut people = connect(listening.address(0), &client).await.unwrap();
    let mut proxies = connect(listening.address(1), &client).await.unwrap();
    let told = exchange(&mut people, &detail).await.unwrap().1;
    assert_eq!(told["tls"].as_array().unwrap().len(), 2, "{told}");
    let told = exchange(&mut proxies, &detail).await.unwrap().1;
    assert!(told.get("tls").is_none() && told.get("clock").is_none(), "{told}");
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
    use breakglass_server::listeners::Listeners;
    let files = Files::new();
    let path = files.path("api.sock");
    let tail = format!("[[listeners]]\naddress = \"unix:{}\"\n", path.display());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listening = Listening::start("", &tail).await;
    let wanted = || listening.service.app.config().resolved_listeners();
    let error = Listeners::open(&listening.service.app, wanted()).await.unwrap_err().to_string();
    assert!(error.contains("another process listens there"), "{error}");
    // A file of another kind is not removed.
    let file = files.path("file");
    std::fs::write(&file, START.to_string()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let tail = format!("[[listeners]]\naddress = \"unix:{}\"\n", file.display());
    let text = crate::tls::configuration(&directory, "", &tail);
    let service = breakglass_testing::service::Service::start_with(directory, &text, START).await;
    let wanted = service.app.config().resolved_listeners();
    let error = Listeners::open(&service.app, wanted).await.unwrap_err().to_string();
    assert!(error.contains("expected a socket or nothing there"), "{error}");
    assert!(file.exists());
}

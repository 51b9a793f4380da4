//! What a revocation takes beside thousands of slow clients and handshakes that do not end, over TLS, and beside attackers
//! that speak HTTP/2, against what it takes without them: on one service, in turn.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made must end, and real time is the point"
)]

#[path = "connections/http2.rs"]
mod http2;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use breakglass_server::auth::identity::digest;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Clients that have done their handshake, and send a byte of a head a second.
const SLOW: usize = 2000;

/// Handshakes that begin, and go no further.
const HALF_OPEN: usize = 500;

/// How long after they have all come revocations begin: until then the service has handshakes to do, and each slow
/// client has sent another byte.
const SETTLED: Duration = Duration::from_secs(1);

/// How many turns of them there are for each turn of an attacker that speaks HTTP/2. The slowest of a hundred revocations
/// are those for which the disk was slow, with them and without: of 400 each, the bar was met or missed by chance.
const SLOW_TURNS: usize = 3;

/// How many of them connect at a time.
const AT_A_TIME: usize = 50;

/// Revocations in one turn. They have to be done before the service closes the handshakes, 5 s after their begin.
const IN_A_TURN: usize = 50;

/// How long a revocation is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// The word that makes this program the slow clients and the handshakes.
const CROWD: &str = "crowd";

/// The most that the 99th percentile beside them may be, in times of that without.
const BAR: f64 = 1.5;

fn main() -> ExitCode {
    if let Some(code) = http2::attack().or_else(crowd) {
        return code;
    }
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let turns = numbers.next().unwrap_or(8);
    let met = [slow_clients(turns * SLOW_TURNS), http2::measure(turns)];
    if met == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn slow_clients(turns: usize) -> bool {
    let service = Service::start();
    // Files are opened, and code is loaded.
    service.revocations(IN_A_TURN);
    let (mut alone, mut beside, mut open) = (Vec::new(), Vec::new(), usize::MAX);
    for turn in 0..turns {
        for crowded in [turn % 2 == 0, turn % 2 == 1] {
            let grants = service.grants(IN_A_TURN);
            let crowd = crowded.then(|| service.crowd());
            if crowded {
                thread::sleep(SETTLED);
            }
            let before = service.connections();
            let times = grants.iter().map(|grant| service.revoke(grant));
            if crowded { &mut beside } else { &mut alone }.extend(times);
            if let Some(mut crowd) = crowd {
                open = open.min(before).min(service.connections());
                crowd.kill().unwrap();
                crowd.wait().unwrap();
            }
            service.until_empty();
        }
    }
    let quiet = [50, 99].map(|percent| percentile(&mut alone, percent));
    let crowded = [50, 99].map(|percent| percentile(&mut beside, percent));
    let [p50, p99] = [0, 1].map(|at| {
        let time = |times: &[Duration; 2]| times.get(at).unwrap().as_secs_f64();
        time(&crowded) / time(&quiet)
    });
    println!("{} revocations each, over TLS, a connection for each", alone.len());
    println!("  alone                      p50 {:.1?}  p99 {:.1?}", quiet[0], quiet[1]);
    println!(
        "  {SLOW} slow, {HALF_OPEN} half-open    p50 {:.1?}  p99 {:.1?}",
        crowded[0], crowded[1]
    );
    println!("  times                      p50 {p50:.2}  p99 {p99:.2}  (bar {BAR})");
    println!("  connections open meanwhile {open} at least");
    p99 <= BAR && open > SLOW + HALF_OPEN
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    *times.get((times.len() - 1) * percent / 100).unwrap()
}

/// A running service that speaks TLS.
struct Service {
    child: Child,
    url: String,
    authority: String,
    folder: TempDir,
}

impl Service {
    fn start() -> Service {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |name: &str| folder.path().join(name);
        let authority = certificates(folder.path());
        fs::write(at("config.toml"), config(folder.path())).unwrap();
        // Another build of the service, where it is named.
        let named = std::env::var_os("BREAKGLASS_BIN");
        let child = Command::new(named.unwrap_or(env!("CARGO_BIN_EXE_breakglass").into()))
            .args(["serve", "--config"])
            .arg(at("config.toml"))
            .arg("--ready-file")
            .arg(at("ready"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !at("ready").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        let url = fs::read_to_string(at("ready")).unwrap();
        Service { child, url, authority, folder }
    }

    fn agent(&self) -> Agent {
        let roots = [Certificate::from_pem(self.authority.as_bytes()).unwrap()];
        let tls = TlsConfig::builder().root_certs(RootCerts::from(roots.to_vec())).build();
        Agent::config_builder().tls_config(tls).build().into()
    }

    fn ask(&self, agent: &Agent, who: &str, path: &str, body: &Value) -> Value {
        self.try_ask(agent, who, path, body).unwrap()
    }

    fn try_ask(
        &self,
        agent: &Agent,
        who: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, ureq::Error> {
        let url = format!("{}{path}", self.url);
        let request = agent.post(url).header("authorization", format!("Bearer token-{who}"));
        request.send_json(body)?.body_mut().read_json()
    }

    /// So many new grants.
    fn grants(&self, count: usize) -> Vec<String> {
        let agent = self.agent();
        let ask = json!({ "scopes": ["orders:read"], "reason": "a measurement", "duration": "5m" });
        let grant = |_| {
            let asked = self.ask(&agent, "alice", "/v1/requests", &ask);
            let path = format!("/v1/requests/{}/approve", asked["id"].as_str().unwrap());
            let approval = json!({ "digest": asked["digest"] });
            let approved = self.ask(&agent, "carol", &path, &approval);
            approved["grant"]["id"].as_str().unwrap().to_owned()
        };
        (0..count).map(grant).collect()
    }

    /// As the command line does it, on a connection of its own.
    fn revoke(&self, grant: &str) -> Duration {
        let agent = self.agent();
        let start = Instant::now();
        let reason = json!({ "reason": "a measurement" });
        self.ask(&agent, "carol", &format!("/v1/grants/{grant}/revoke"), &reason);
        start.elapsed()
    }

    /// The same beside attackers: tried again where the connection is closed, as the command line does; and how often it was.
    fn revoke_in_the_end(&self, grant: &str) -> (Duration, usize) {
        let start = Instant::now();
        let reason = json!({ "reason": "a measurement" });
        let path = format!("/v1/grants/{grant}/revoke");
        let mut closed = 0;
        while let Err(error) = self.try_ask(&self.agent(), "carol", &path, &reason) {
            closed += 1;
            assert!(start.elapsed() < PATIENCE, "{error}");
            thread::sleep(Duration::from_millis(10));
        }
        (start.elapsed(), closed)
    }

    fn revocations(&self, count: usize) {
        for grant in self.grants(count) {
            self.revoke(&grant);
        }
    }

    /// How many connections are open, that of this question included.
    fn connections(&self) -> usize {
        let text = self.agent().get(format!("{}/metrics", self.url)).call().unwrap();
        let text = text.into_body().read_to_string().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("breakglass_connections "));
        line.unwrap().parse().unwrap()
    }

    fn until_empty(&self) {
        while self.connections() > 5 {
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn address(&self) -> SocketAddr {
        self.url.strip_prefix("https://").unwrap().parse().unwrap()
    }

    /// The process of the slow clients and of the handshakes, once all are there. It has the lowest priority, as that of the
    /// attackers that speak HTTP/2: what they take of the machine is not what the service loses by them.
    fn crowd(&self) -> Child {
        let mut crowd = Command::new("nice")
            .args(["-n", "19"])
            .arg(std::env::current_exe().unwrap())
            .args([CROWD, &self.address().to_string()])
            .env("BREAKGLASS_AUTHORITY", &self.authority)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(crowd.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), CROWD);
        crowd
    }
}

/// The slow clients and the handshakes, where this process is to be them.
fn crowd() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [word, address] = &words[..] else { return None };
    if word != CROWD {
        return None;
    }
    let authority = std::env::var("BREAKGLASS_AUTHORITY").unwrap();
    let address: SocketAddr = address.parse().unwrap();
    Runtime::new().unwrap().block_on(async {
        let crowd = come(address, &authority).await;
        println!("{CROWD}");
        std::future::pending::<()>().await;
        drop(crowd);
    });
    Some(ExitCode::SUCCESS)
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The folder goes with it.
        let _ = self.folder.path();
    }
}

/// The slow clients, and then the handshakes. They end when this is dropped.
async fn come(address: SocketAddr, authority: &str) -> JoinSet<()> {
    let connector = connector(authority, &[]);
    let (mut crowd, mut begin) = (JoinSet::new(), JoinSet::new());
    for number in 0..SLOW {
        let connector = connector.clone();
        begin.spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let mut stream = connector.connect(name, stream).await.unwrap();
            stream.write_all(b"GET /v1/requests HTTP/1.1\r\nx: ").await.unwrap();
            stream
        });
        if begin.len() < AT_A_TIME && number + 1 < SLOW {
            continue;
        }
        while let Some(stream) = begin.join_next().await {
            let mut stream = stream.unwrap();
            crowd.spawn(async move {
                // It is over when the service closes it.
                while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    }
    for number in 0..HALF_OPEN {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            // The begin of a record that never comes whole.
            stream.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap();
        }
        crowd.spawn(async move {
            std::future::pending::<()>().await;
            drop(stream);
        });
    }
    crowd
}

/// How clients trust the authority, and which protocols they offer (ALPN).
fn connector(authority: &str, protocols: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// Makes the certificate of the service and its key; the authority's certificate.
fn certificates(folder: &Path) -> String {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("tls.key"), fs::Permissions::from_mode(0o600)).unwrap();
    authority.pem()
}

fn config(folder: &Path) -> String {
    let entry = |kind: &str, name: &str, groups: &str| {
        let sha256: String =
            digest(&format!("token-{name}")).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[{kind}]]\nname = \"{name}\"\ntoken_sha256 = \"{sha256}\"\n{groups}\n")
    };
    format!(
        "listen = \"127.0.0.1:0\"\nissuer = \"https://approvals.test\"\n\
         database = \"{at}/approvals.db\"\nkey_directory = \"{at}/keys\"\n\
         tls = {{ certificate_file = \"{at}/tls.crt\", key_file = \"{at}/tls.key\" }}\n{}{}\
         [[scopes]]\nname = \"orders:read\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
         approvers = [\"commanders\"]\nmax_duration = \"1h\"\n",
        entry("people", "alice", "groups = [\"oncall\"]"),
        entry("people", "carol", "groups = [\"commanders\"]"),
        at = folder.display(),
    )
}

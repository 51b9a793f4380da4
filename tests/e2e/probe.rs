//! `breakglass probe` on real Envoys with the real service: what is guarded is told from what is not.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, Reply};
use breakglass_tests::client::{Answer, get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{ISSUER, PROXY_TOKEN};
use breakglass_tests::relay::Relay;
use breakglass_tests::service::{AUDITOR, Ran, Service};
use breakglass_tests::tokens::{Mint, now};
use breakglass_tests::trailers::{Sent, When, send};
use breakglass_tests::wait::until;
use http::HeaderMap;
use serde_json::{Value, json};

const HEADER: &str = "x-breakglass-probe";

fn url(address: SocketAddr) -> String {
    format!("http://{address}/v1/orders")
}

fn probe(service: &Service, urls: &[&str]) -> Ran {
    let arguments = [&["probe", "--json", "--timeout", "10s"][..], urls].concat();
    service.run(AUDITOR, &arguments)
}

/// What was found of each entrance, and the exit code.
fn found(ran: &Ran) -> (Vec<String>, i32) {
    let json = ran.json();
    let entrances = json["entrances"].as_array().unwrap();
    let word = |one: &Value| one["result"].as_str().unwrap().to_owned();
    (entrances.iter().map(word).collect(), ran.code)
}

fn expect(ran: &Ran, results: &[&str], code: i32) {
    let results = results.iter().map(|one| (*one).to_owned()).collect();
    assert_eq!(found(ran), (results, code), "{ran:?}");
}

/// A gate whose worker has the keys, and polls.
fn following(plan: Plan, service: &Service) -> Gate {
    let gate = plan.alone().start();
    let address = url(gate.envoy.address());
    until("the gate to answer", || (probe(service, &[&address]).code != 2).then_some(()));
    gate
}

/// A challenge of the auditor's.
fn challenge(service: &Service) -> String {
    let answer = request("POST", "/v1/probes")
        .header("authorization", format!("Bearer {}", service.credential(AUDITOR)))
        .header("content-type", "application/json")
        .body("{}")
        .send(service.address());
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["challenge"].as_str().unwrap().to_owned()
}

/// What a filter of ours says to a challenge, and nothing else.
fn assert_answered(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
    assert_eq!(answer.header(HEADER).map(str::len), Some(86), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let text = format!("{answer:?}").replace(HEADER, "");
    assert!(!text.contains("breakglass"), "{text}");
}

#[test]
fn a_guarded_entrance_is_told_from_one_that_is_not() {
    let service = Service::start();
    let gate = following(Plan::following(&service, "10s"), &service);
    let (guarded, open) = (url(gate.envoy.address()), url(gate.upstream.address()));
    let ran = probe(&service, &[&guarded]);
    expect(&ran, &["guarded"], 0);
    let node = ran.json()["entrances"][0]["node"].clone();
    assert_eq!((&node["proxy"], &node["node"]), (&json!("gate-test"), &json!("gate-test")));
    assert_eq!((&node["enforcement"], &node["alive"]), (&json!("enforce"), &json!(true)));
    let listed = service.run(AUDITOR, &["proxies", "--json"]).json();
    for member in ["config", "version"] {
        assert_eq!(listed["proxies"][0][member], node[member], "{listed}");
    }
    expect(&probe(&service, &[&guarded, &open]), &["guarded", "not_guarded"], 2);

    // The answer itself, over HTTP/1.1 and HTTP/2.
    let challenge = challenge(&service);
    let asked = get("/admin/users").header(HEADER, &challenge);
    let answer = gate.send(&asked);
    assert_answered(&answer);
    assert!(gate.upstream.saw(&asked.id).is_none());
    let record = gate.envoy.record(&asked.id);
    assert_eq!(record.details(), "breakglass_probe");
    assert!(record.audit().is_none() && record.decision().is_none(), "{}", record.line());
    let headers = [(HEADER, &*challenge)];
    let trailers = HeaderMap::new();
    let sent = Sent { method: "POST", path: "/", headers: &headers, trailers, when: When::AtOnce };
    let came = send(gate.envoy.address(), &sent);
    assert_eq!(came.status, 204, "{came:?}");
    assert!(gate.upstream.saw(&came.id).is_none());
    // One that was changed is as if it was not there.
    let (signed, signature) = challenge.rsplit_once('.').unwrap();
    let changed = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    for value in [&changed, "1", ""] {
        let passed = gate.passes(&get("/v1/orders").header(HEADER, value));
        assert_eq!(passed.seen.header(HEADER), None);
        gate.refuses(&get("/admin/users").header(HEADER, value), 401, "token_missing");
    }
    // With a token the token decides, and the upstream sees neither.
    let (_, token) = service.grant(&["orders:read"], "10m");
    let allowed = gate.allows(&get("/v1/orders").token(&token).header(HEADER, &challenge));
    assert_eq!(allowed.seen.header(HEADER), None);
    gate.refuses(&get("/v1/orders").token(&challenge), 401, "token_type");
    assert!(gate.envoy.stats().ending_with("breakglass.probe.result.answered") >= 4);
    assert_eq!(gate.envoy.stats().ending_with("breakglass.probe_report.result.failed"), 0);
    gate.has_its_first_vms();
}

#[test]
fn two_entrances_are_two_proxies_and_one_in_shadow_mode_is_not_guarded() {
    let service = Service::start();
    let first = following(Plan::following(&service, "10s"), &service);
    let shadow = Plan::following(&service, "10s").set("/enforcement", json!("shadow")).start();
    let urls = [url(first.envoy.address()), url(shadow.envoy.address())];
    until("both to answer", || {
        let ran = probe(&service, &[&urls[0], &urls[1]]);
        (found(&ran) == (vec!["guarded".to_owned(), "shadow".to_owned()], 2)).then_some(())
    });
    let ran = probe(&service, &[&urls[0], &urls[1]]);
    let configs = ran.json();
    let config = |at: usize| configs["entrances"][at]["node"]["config"].clone();
    assert_ne!(config(0), config(1), "{configs}");
}

#[test]
fn a_proxy_with_a_credential_that_the_service_does_not_know_is_not_proven() {
    let mut service = Service::start();
    let gate = following(Plan::following(&service, "2s"), &service);
    let address = url(gate.envoy.address());
    expect(&probe(&service, &[&address]), &["guarded"], 0);
    service.kill();
    let path = service.database().with_file_name("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (people, proxy) = text.split_once("[[proxies]]").unwrap();
    let sha256 = proxy.split("token_sha256 = \"").nth(1).unwrap().split('"').next().unwrap();
    let other = sha256.chars().rev().collect::<String>();
    fs::write(&path, format!("{people}[[proxies]]{}", proxy.replace(sha256, &other))).unwrap();
    service.start_again();
    let ran = probe(&service, &[&address]);
    expect(&ran, &["not_proven"], 1);
    assert!(ran.stderr.contains("is the proxy's credential the one whose SHA-256"), "{ran:?}");
}

#[test]
fn a_proxy_that_is_cut_off_from_the_service_is_guarded_with_a_feed_that_is_old() {
    let service = Service::start();
    let relay = Relay::start(service.address());
    let plan = Plan::following(&service, "2s").through(relay.address());
    let gate = following(plan, &service);
    let address = url(gate.envoy.address());
    expect(&probe(&service, &[&address]), &["guarded"], 0);
    relay.lose_packets();
    let ran = until("the proxy to be silent", || {
        thread::sleep(Duration::from_millis(500));
        let ran = probe(&service, &[&address]);
        (ran.json()["entrances"][0]["node"]["alive"] == false).then_some(ran)
    });
    expect(&ran, &["guarded"], 0);
    let age = ran.json()["entrances"][0]["node"]["stale_for_s"].as_i64().unwrap();
    assert!((2..60).contains(&age), "{ran:?}");
    assert!(ran.stderr.contains("it gets no revocations"), "{ran:?}");
}

/// Reads the head of one HTTP/1.1 message: its first line, and its other lines.
fn head(from: &mut impl BufRead) -> Option<(String, Vec<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = (!lines.is_empty()).then(|| lines.remove(0))?;
    Some((first, lines))
}

fn value<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    let mut fields = lines.iter().filter_map(|line| line.split_once(": "));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Takes connections on a port of its own.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || serve(connection));
        }
    });
    address
}

/// What stands before the service where proxies are known by certificates: it puts the credential in.
fn identifying(service: SocketAddr) -> SocketAddr {
    listen(move |client| {
        let mut service = TcpStream::connect(service).unwrap();
        let (mut back, mut to_client) = (service.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut back, &mut to_client));
        let mut client = BufReader::new(client);
        while let Some((first, lines)) = head(&mut client) {
            let length = value(&lines, "content-length").map_or(0, |text| text.parse().unwrap());
            let mut body = vec![0; length];
            let rest = lines.join("\r\n");
            let head = format!("{first}\r\nauthorization: Bearer {PROXY_TOKEN}\r\n{rest}\r\n\r\n");
            if client.read_exact(&mut body).is_err()
                || service.write_all(&[head.as_bytes(), &body].concat()).is_err()
            {
                return;
            }
        }
    })
}

/// An application behind an entrance without the filter that hands the challenge on to a guarded one.
fn relaying(to: SocketAddr, host: &'static str) -> SocketAddr {
    listen(move |client| {
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let Some((_, lines)) = head(&mut reader) else { return };
        let challenge = value(&lines, HEADER).unwrap();
        let host = if host.is_empty() { value(&lines, "host").unwrap() } else { host };
        let answer = get("/").host(host).header(HEADER, challenge).send(to);
        let answer = answer.header(HEADER).unwrap_or_default();
        let text = format!("HTTP/1.1 200 OK\r\n{HEADER}: {answer}\r\ncontent-length: 0\r\n\r\n");
        let mut client = client;
        client.write_all(text.as_bytes()).unwrap();
    })
}

#[test]
fn a_challenge_that_is_handed_on_proves_only_the_authority_that_was_asked() {
    let service = Service::start();
    let gate = following(Plan::following(&service, "10s"), &service);
    let naive = relaying(gate.envoy.address(), "orders.internal");
    expect(&probe(&service, &[&url(naive)]), &["not_proven"], 1);
    // Documented: one that keeps the authority is taken for the entrance to which it hands on.
    let careful = relaying(gate.envoy.address(), "");
    expect(&probe(&service, &[&url(careful)]), &["guarded"], 0);
}

#[test]
fn a_proxy_without_a_credential_is_known_by_its_report() {
    let service = Service::start();
    let plan = Plan::following(&service, "10s").through(identifying(service.address()));
    let plan = plan.filter(|filter| {
        filter["revocation"].as_object_mut().unwrap().remove("credential");
    });
    let gate = following(plan, &service);
    let address = url(gate.envoy.address());
    let ran = until("it to be guarded", || {
        let ran = probe(&service, &[&address]);
        (ran.code == 0).then_some(ran)
    });
    let node = ran.json()["entrances"][0]["node"].clone();
    assert_eq!((&node["proxy"], &node["alive"]), (&json!("gate-test"), &json!(true)), "{ran:?}");
    // Its report says which answer: that of another authority is not this one's.
    let other = relaying(gate.envoy.address(), "orders.internal");
    expect(&probe(&service, &[&url(other)]), &["not_proven"], 1);
    gate.has_its_first_vms();
}

/// An older service ignores what it does not know, and the filter goes on as before.
#[test]
fn an_older_service_gets_polls_that_it_understands() {
    let news = json!({"epoch": 0, "revoked": [], "reset": true});
    let plan = Plan::standard().following_feed("10s").approvals(FEED, Reply::json(&news));
    let gate = plan.start();
    // Before the first poll is answered the service is asked about each grant.
    until("the feed to be known", || {
        let request = get("/v1/orders").token(gate.mint().sign());
        assert_eq!(gate.send(&request).status, 200);
        let record = gate.envoy.record(&request.id);
        (record.audit()?.text_of("reason") == Some("permit")).then_some(())
    });
    let challenge = Mint::new(&gate.key)
        .header("typ", "breakglass-probe+jwt")
        .claim("iss", ISSUER)
        .claim("aud", "urn:breakglass:probe")
        .claim("jti", "prb_1")
        .claim("exp", now() + 30)
        .sign();
    assert_answered(&gate.send(&get("/v1/orders").header(HEADER, &challenge)));
    let report = until("the report", || {
        let mut calls = gate.approvals.calls(FEED).into_iter();
        calls.find(|call| call.headers.contains_key("breakglass-probes"))
    });
    assert!(report.headers["breakglass-probes"].starts_with("prb_1="), "{report:?}");
    assert!(!report.path.contains("wait="), "{report:?}");
    gate.still_serves();
}

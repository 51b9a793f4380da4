//! Thousands of proxies, each with a credential of its own, that tell one service what their configuration opens: each
//! sends its content once, where the answer to its first poll asks for it, and names one digest with every poll.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::approvals::FEED;
use breakglass_tests::client::{Answer, Request, connect, get, request};
use breakglass_tests::policy::{AUDIENCE, SUBJECT};
use breakglass_tests::service::Service;
use breakglass_types::configurations::{ReportedConfiguration, WANTED_HEADER};
use breakglass_types::hex;
use breakglass_types::names::said;
use breakglass_types::scope_rules::ScopeRules;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::Verdict;
use crate::process::Process;
use crate::times::Times;

/// How many scopes a configuration has.
const SCOPES: usize = 1_000;

/// How many different configurations there are: those of environments, and a rollout.
const CONFIGURATIONS: usize = 10;

/// How many proxies report at a time.
const AT_ONCE: usize = 16;

/// What the service may keep for each proxy, in KiB: its content is what others have sent too.
const BAR_KIB: u64 = 16;

pub(crate) fn run(proxies: usize) -> Verdict {
    let mut service = Service::start();
    let token = |index: usize| format!("proxy-token-number-{index:0>8}");
    let entry = |index: usize| {
        let sha256 = hex::lower(digest(&SHA256, token(index).as_bytes()).as_ref());
        format!("[[proxies]]\nname = \"envoy-{index}\"\ntoken_sha256 = \"{sha256}\"\n")
    };
    service.add(&(0..proxies).map(entry).collect::<String>());
    let bodies: Vec<(String, String)> = (0..CONFIGURATIONS).map(configuration).collect();
    println!(
        "{proxies} proxies with credentials of their own, {CONFIGURATIONS} configurations of {SCOPES} scopes, {} KiB each",
        bodies[0].1.len() / 1024
    );
    let process = Process(service.process_id());
    let (address, before) = (service.address(), process.resident_kib());
    let next = AtomicUsize::new(0);
    let some = || {
        let (mut first, mut sent, mut again) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= proxies {
                return (first, sent, again);
            }
            let (configuration, body) = &bodies[index % CONFIGURATIONS];
            let report = request("POST", "/v1/proxies/configurations")
                .header("content-type", "application/json")
                .body(body.as_str());
            let poll = || poll(&format!("envoy-{index}"), configuration);
            let bearer = |request: Request| {
                request.header("authorization", format!("Bearer {}", token(index)))
            };
            first.push(timed(address, &bearer(poll()), Some(configuration)));
            sent.push(timed(address, &bearer(report), None));
            again.push(timed(address, &bearer(poll()), None));
        }
    };
    let (mut first, mut sent, mut again) = (Vec::new(), Vec::new(), Vec::new());
    let (start, cpu) = (Instant::now(), process.cpu());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(some)).collect();
        for thread in threads {
            let (one, two, three) = thread.join().unwrap();
            first.extend(one);
            sent.extend(two);
            again.extend(three);
        }
    });
    let (took, cpu) = (start.elapsed().as_secs_f64(), process.cpu() - cpu);
    println!(
        "{:34} {:8.1} a second, {:.2} ms of CPU time each",
        "reports taken",
        proxies as f64 / took,
        cpu.as_secs_f64() * 1e3 / proxies as f64
    );
    for (what, times) in [
        ("a first poll, which asks", first),
        ("a report of the content", sent),
        ("a poll after it, which does not", again),
    ] {
        println!("{what:34} {}", times.into_iter().collect::<Times>());
    }
    println!(
        "{:34} {} bytes, digest included",
        "a poll",
        poll("envoy-1", &bodies[0].0).bytes().len()
    );
    println!("{:34} {}", "a request, seen with all of them", seen(&service));
    let kept = process.resident_kib().saturating_sub(before);
    println!(
        "{:34} {kept} KiB more, {} at most",
        "the service's resident memory",
        process.peak_kib()
    );
    let each = kept / u64::try_from(proxies).unwrap().max(1);
    Verdict::of(&format!("at most {BAR_KIB} KiB for each proxy: {each}"), each <= BAR_KIB)
}

/// A configuration's digest, and the report of it.
fn configuration(number: usize) -> (String, String) {
    let digest = hex::lower(digest(&SHA256, format!("configuration {number}").as_bytes()).as_ref());
    let scope = |index: usize| {
        let name =
            if index == 0 { "orders:read".to_owned() } else { format!("service-{index:0>4}:read") };
        let rules = ScopeRules {
            methods: ["GET".to_owned()].into(),
            // The last scope is another one in each.
            paths: [format!("/v{}/{name}/**", if index == SCOPES - 1 { number } else { 1 })].into(),
            ..ScopeRules::default()
        };
        (name, rules.digest())
    };
    let reported = ReportedConfiguration {
        configuration: digest.clone(),
        audiences: [AUDIENCE.to_owned()].into(),
        scopes: (0..SCOPES).map(scope).collect(),
    };
    (digest, serde_json::to_string(&reported).unwrap())
}

fn poll(node: &str, configuration: &str) -> Request {
    get(format!("{FEED}?node={node}"))
        .host("approvals.internal")
        .header(said::VERSION, "0.2.0")
        .header(said::CONFIG, configuration)
}

/// Sends one, and checks whether the answer asks for this configuration.
fn timed(service: SocketAddr, request: &Request, wanted: Option<&String>) -> Duration {
    let (mut connection, start) = (connect(service), Instant::now());
    let answer: Answer = request.send_over(&mut connection);
    let took = start.elapsed();
    assert!((200..300).contains(&answer.status), "{answer:?}");
    assert_eq!(answer.header(WANTED_HEADER), wanted.map(String::as_str), "{answer:?}");
    took
}

/// Asks for a scope that every proxy has told of, and looks at that again and again.
fn seen(service: &Service) -> Times {
    let by = |request: Request| {
        request.header("authorization", format!("Bearer {}", service.credential(SUBJECT)))
    };
    let ask = json!({"scopes": ["orders:read"], "reason": "orders are stuck", "duration": "20m"});
    let ask = request("POST", "/v1/requests")
        .header("content-type", "application/json")
        .body(ask.to_string());
    let asked = by(ask).send(service.address());
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let show = by(get(format!("/v1/requests/{id}")).host("approvals.internal"));
    (0..100).map(|_| timed(service.address(), &show, None)).collect()
}

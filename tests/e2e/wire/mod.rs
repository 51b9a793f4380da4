//! Traffic that is not ours is untouched: random requests, valid by HTTP/1.1 and by HTTP/2, go through two
//! Envoys that differ by the filter only, and what the client and the upstream get is compared byte for byte.
//!
//! Not compared is what is decided by time alone: how a body is cut into chunks and frames. Three headers are
//! Envoy's and differ each time (`date`, `x-envoy-upstream-service-time`, and an `x-request-id` that no client
//! sent): that they are there is compared. One thing is the filter's: a client's `x-breakglass-*` do not reach
//! the upstream.

mod case;
mod compare;
mod coverage;
mod generate;
mod http1;
mod http2;
mod message;
mod random;
mod upstream;
mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::carriers::manager;
use case::{Group, Protocol};
use compare::{Exchange, differences};
use coverage::Coverage;
use generate::groups;
use upstream::Recorder;

/// How many requests, unless `WIRE_REQUESTS` says another number.
const REQUESTS: u64 = 2000;

/// Where the random numbers begin, unless `WIRE_SEED` says another place.
const SEED: u64 = 0x6272_6561_6b67_6c61;

/// How many connections are open at a time, to each gate.
const CONNECTIONS: usize = 4;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// A gate with its recorder, whose chain of filters a test may change.
fn gate(
    plan: Plan,
    runtime: &Runtime,
    groups: &[Group],
    change: impl FnOnce(&mut Vec<Value>),
) -> (Gate, Recorder) {
    let cases = groups.iter().flat_map(|group| &group.cases);
    let recorder = Recorder::start(runtime.handle(), cases);
    let gate = plan.before(recorder.address).start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new("."));
        let with_trailers = json!({"allow_custom_methods": true, "enable_trailers": true});
        manager(&mut bootstrap)["http_protocol_options"] = with_trailers;
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let cluster = &mut bootstrap["static_resources"]["clusters"][0];
        let options = &mut cluster["typed_extension_protocol_options"][options];
        options["use_downstream_protocol_config"]["http_protocol_options"] =
            json!({"enable_trailers": true});
        change(manager(&mut bootstrap)["http_filters"].as_array_mut().unwrap());
        bootstrap.to_string()
    });
    (gate, recorder)
}

/// Takes the filter out.
fn bare(filters: &mut Vec<Value>) {
    assert_eq!(filters.remove(0)["name"], "breakglass");
}

/// Sends all groups, a few at a time, and says what came of each request.
fn exchanges(
    runtime: &Runtime,
    to: SocketAddr,
    recorder: &Recorder,
    groups: &[Group],
) -> BTreeMap<u32, Exchange> {
    let share = groups.len().div_ceil(CONNECTIONS).max(1);
    let got = thread::scope(|scope| {
        let workers: Vec<_> = groups
            .chunks(share)
            .map(|groups| {
                scope.spawn(|| {
                    groups.iter().flat_map(|group| send(runtime, to, group)).collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let mut seen = recorder.take();
    got.into_iter()
        .map(|(id, answers)| (id, Exchange { answers, seen: seen.remove(&id).unwrap_or_default() }))
        .collect()
}

fn send(runtime: &Runtime, to: SocketAddr, group: &Group) -> Vec<(u32, Vec<message::Message>)> {
    match group.protocol {
        Protocol::Http1 { pipelined } => http1::send(to, &group.cases, pipelined),
        Protocol::Http2 => runtime.block_on(http2::send(to, &group.cases)),
    }
}

/// What two gates made of the same requests.
struct Compared {
    /// What differs, as text: of each request that does.
    differences: Vec<String>,
    coverage: Coverage,
}

fn compare(
    runtime: &Runtime,
    groups: &[Group],
    one: &(Gate, Recorder),
    other: &(Gate, Recorder),
) -> Compared {
    let run = |(gate, recorder): &(Gate, Recorder)| {
        exchanges(runtime, gate.envoy.address(), recorder, groups)
    };
    let (one, other) = thread::scope(|scope| {
        let first = scope.spawn(|| run(one));
        let other = run(other);
        (first.join().unwrap(), other)
    });
    let mut compared = Compared { differences: Vec::new(), coverage: Coverage::default() };
    for case in groups.iter().flat_map(|group| &group.cases) {
        let (one, other) = (&one[&case.id], &other[&case.id]);
        compared.coverage.add(case, one);
        compared.differences.extend(differences(case, one, other));
    }
    compared
}

/// Sends requests through a gate without the filter and through one with it, in whose configuration `change`
/// may change something.
fn assert_untouched(requests: u64, change: impl FnOnce(Plan) -> Plan) {
    let seed = number("WIRE_SEED", SEED);
    let runtime = Runtime::new().unwrap();
    let groups = groups(seed, requests);
    let without = gate(Plan::standard(), &runtime, &groups, bare);
    let with = gate(change(Plan::standard()), &runtime, &groups, |_| ());
    let Compared { differences, coverage } = compare(&runtime, &groups, &without, &with);
    println!("{coverage:?}");
    assert!(
        differences.is_empty(),
        "{} of {requests} requests differ (WIRE_SEED={seed} WIRE_REQUESTS={requests}):\n\n{}",
        differences.len(),
        differences.iter().take(5).cloned().collect::<Vec<_>>().join("\n\n")
    );
    coverage.assert_is_of_everything();
    let records = with.0.envoy.records();
    let ours: Vec<_> = records.iter().filter(|record| record.audit().is_some()).collect();
    assert!(ours.is_empty(), "the filter has nothing to do with any: {ours:?}");
    with.0.has_its_first_vms();
}

#[test]
fn what_is_not_ours_is_the_same_with_the_filter_and_without() {
    assert_untouched(number("WIRE_REQUESTS", REQUESTS), |plan| plan);
}

#[test]
fn what_is_not_ours_is_the_same_in_shadow_mode() {
    assert_untouched(400, |plan| plan.set("/enforcement", json!("shadow")));
}

#[test]
fn the_comparison_sees_what_another_filter_does() {
    let put_in = |direction: &str| {
        let append = json!({"header": {"key": "x-put-in", "value": "1"}});
        json!({"name": "put-in", "typed_config": {
            "@type":
                "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {direction: [{"append": append}]},
        }})
    };
    let runtime = Runtime::new().unwrap();
    let groups = groups(SEED, 100);
    for direction in ["request_mutations", "response_mutations"] {
        let without = gate(Plan::standard(), &runtime, &groups, bare);
        let with = gate(Plan::standard(), &runtime, &groups, |filters| {
            filters[0] = put_in(direction);
        });
        let found = compare(&runtime, &groups, &without, &with).differences;
        // Some are answered by Envoy before any filter.
        assert!(found.len() > 90, "{direction}: {} of 100 differ", found.len());
    }
}

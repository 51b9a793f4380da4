//! How soon a receiver of webhooks has what happened: from the request that offends to its alert, and from a request for
//! access to the news of it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::{connect, get};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;

use super::proxies::{PAGES, credential, service};
use super::sink::Sink;
use crate::Verdict;
use crate::following;
use crate::grants::{self, Grant, Person};
use crate::times::Times;

/// What is promised, of 99 of 100.
const BAR: Duration = Duration::from_secs(1);

/// Between two violations: fifty a second.
const APART: Duration = Duration::from_millis(20);

/// How many requests for access there are, and how far apart: ten a second.
const REQUESTS: usize = 300;
const REQUESTS_APART: Duration = Duration::from_millis(100);

/// Requests of holders beyond their scope, each under a grant of its own, so that none is told by the count of another one.
/// Of one credential the service tells [`PAGES`] an hour at most: so many are sent through each of several proxies, one
/// after the other.
pub(super) fn violations(count: usize) -> Verdict {
    let proxies = count.div_ceil(PAGES);
    let mut service = service(proxies);
    let sink = Sink::of(&mut service, "breakglass.alert.out_of_scope");
    let grants = grants::make(&service, count);
    println!(
        "{count} violations, each of a grant of its own, {APART:?} apart, by {proxies} proxies"
    );
    let mut sent = BTreeMap::new();
    for (proxy, grants) in grants.chunks(PAGES).enumerate() {
        sent.extend(offend(&service, proxy, grants));
    }
    let came = sink.until_heard("grant", sent.keys());
    judge("an offending request -> the alert at the sink", &sent, &came)
}

/// Sends them: when each was sent, by its grant.
fn offend(service: &Service, proxy: usize, grants: &[Grant]) -> BTreeMap<String, Instant> {
    let (node, credential) = (format!("envoy-{proxy}"), credential(proxy));
    let envoy = following::start_changed(service, &node, &credential, following::report_alerts);
    // A permit shows that keys and feed are there.
    let ready = get("/v1/orders/17").token(&grants[0].token);
    until("the proxy", || (ready.send(envoy.address()).status == 200).then_some(()));
    let mut connection = connect(envoy.address());
    let mut sent = BTreeMap::new();
    for grant in grants {
        let offence = get("/v1/invoices").token(&grant.token);
        sent.insert(grant.jti.clone(), Instant::now());
        let answer = offence.send_over(&mut connection);
        assert_eq!(answer.status, 403, "{answer:?}");
        thread::sleep(APART);
    }
    let told = "wasmcustom.breakglass.alerts.result.sent";
    let of_all = u64::try_from(grants.len()).unwrap();
    until("its last report", || (envoy.stats().of(told) > of_all).then_some(()));
    sent
}

/// Requests for access, as an approver's sink hears of them.
pub(super) fn requests() -> Verdict {
    let mut service = service(0);
    let sink = Sink::of(&mut service, "breakglass.request.submitted");
    let mut person = Person::at(&service);
    println!("\n{REQUESTS} requests for access, {REQUESTS_APART:?} apart");
    let mut sent = BTreeMap::new();
    for _ in 0..REQUESTS {
        let at = Instant::now();
        let request = person.asks();
        // A person has ten at a time.
        person.cancels(&request);
        sent.insert(request, at);
        thread::sleep(REQUESTS_APART);
    }
    let came = sink.until_heard("request", sent.keys());
    judge("a request for access -> the sink", &sent, &came)
}

fn judge(
    what: &str,
    sent: &BTreeMap<String, Instant>,
    came: &BTreeMap<String, Instant>,
) -> Verdict {
    let took: Times = sent.iter().map(|(id, at)| came[id].duration_since(*at)).collect();
    println!("{what:48} {took}");
    Verdict::of(&format!("p99 of {what} is at most {BAR:?}"), took.percentile(99) <= BAR)
}

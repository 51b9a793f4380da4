//! Names in a cluster: the program in the image asks its own resolver, which has to do what Kubernetes' resolv.conf
//! says.

use std::net::IpAddr;

use crate::engine::{GATEWAY, Ran, engine};
use crate::name_server::{BROKEN, NameServer};
use crate::pod::{ALICE, Pod};

/// What a kubelet writes for a pod of the namespace `breakglass` (`dnsPolicy: ClusterFirst`).
const SEARCH: [&str; 3] = ["breakglass.svc.cluster.local", "svc.cluster.local", "cluster.local"];

/// The command line as a Job of the namespace has it, with these search domains.
fn scopes(pod: &Pod, host: &str, search: &[&str]) -> Ran {
    let server = GATEWAY.to_string();
    let trusting = pod.options(host);
    let credential = format!("BREAKGLASS_API_TOKEN={}", pod.token(ALICE));
    let mut options = vec!["--dns", &server, "--dns-opt", "ndots:5"];
    search.iter().for_each(|domain| options.extend(["--dns-search", domain]));
    options.extend(trusting.iter().map(String::as_str));
    options.extend(["--env", &credential]);
    engine().program(&options, &["scopes"])
}

#[test]
fn names_are_found_as_kubernetes_says() {
    let pod = Pod::start();
    assert_eq!(pod.port("api").port(), 8300);
    let IpAddr::V4(address) = pod.port("api").ip() else { panic!("an address of version 4") };
    let here = &[address][..];
    // Longer than a datagram, so that TCP has to bring it; each of them is the same.
    let many = &[address; 60][..];
    let names = [
        ("approvals.breakglass.svc.cluster.local", here),
        ("approvals.internal", here),
        ("many.internal", many),
    ];
    let server = NameServer::start(GATEWAY, &names);

    let full = "approvals.breakglass.svc.cluster.local";
    let in_each = |name: &str| SEARCH.map(|domain| format!("{name}.{domain}"));
    let cases = [
        ("approvals", in_each("approvals")[..1].to_vec()),
        ("approvals.breakglass", in_each("approvals.breakglass")[..2].to_vec()),
        ("approvals.breakglass.svc", in_each("approvals.breakglass.svc").to_vec()),
        // Four dots are fewer than five: the domains come first.
        (full, [&in_each(full)[..], &[full.to_owned()]].concat()),
        (
            "approvals.internal",
            [&in_each("approvals.internal")[..], &["approvals.internal".into()]].concat(),
        ),
        ("approvals.internal.", vec!["approvals.internal".into()]),
        ("many.internal.", vec!["many.internal".into()]),
    ];
    for (host, asked) in cases {
        let found = scopes(&pod, host, &SEARCH).done();
        assert!(found.contains("orders:read"), "{host}: {found}");
        assert_eq!(server.asked(), asked, "{host}");
    }
    let missing = scopes(&pod, "nowhere.internal", &SEARCH);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.stderr.contains("cannot be resolved"), "{missing:?}");
    server.asked();

    // A domain about which nothing can be said ends the search: what docs/install/kubernetes.md says of it.
    let with_broken = [&SEARCH[..], &[BROKEN]].concat();
    scopes(&pod, "approvals", &with_broken).done();
    let broken = scopes(&pod, "approvals.internal", &with_broken);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stderr.contains("no connection within 5 s"), "{broken:?}");
    scopes(&pod, "approvals.internal.", &with_broken).done();
}

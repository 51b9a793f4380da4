//! Of the list of nodes: who counts, for how long, and as what.

use super::super::about::OnUnavailable;
use super::*;

fn at(seconds: i64) -> Moment {
    Moment::from_seconds(seconds)
}

/// What a filter says that believes what it knows for ten seconds.
fn said(process: &str, on_unavailable: OnUnavailable) -> About {
    About {
        process: Some(process.into()),
        bounds: Some(Bounds {
            max_staleness: Duration::from_secs(10),
            cache: Duration::from_secs(5),
            clock_skew: Duration::from_secs(5),
            on_unavailable,
            unavailable_for: None,
        }),
        ..About::default()
    }
}

fn unsaid() -> About {
    About::default()
}

#[test]
fn who_waits_is_here_and_who_left_was() {
    let nodes = Nodes::new(None);
    let key = nodes.arrive(at(0), "p", "a", unsaid(), 7);
    let listed = |now| nodes.list(at(now)).first().map(|node| (node.epoch, node.seen));
    assert_eq!(listed(10_000), Some((7, at(10_000))));
    nodes.arrive(at(10_000), "p", "a", unsaid(), 8);
    nodes.leave(Some(at(10_001)), "p", &key);
    assert_eq!(listed(10_002), Some((8, at(10_002))), "its other poll waits");
    nodes.leave(Some(at(10_003)), "p", &key);
    assert_eq!(listed(10_003 + PROXY_FORGOTTEN_S - 1), Some((8, at(10_003))));
    assert_eq!(listed(10_003 + PROXY_FORGOTTEN_S), None);
}

#[test]
fn a_proxy_that_makes_up_nodes_pushes_out_its_own() {
    let nodes = Nodes::new(None);
    nodes.arrive(at(0), "other", "a", unsaid(), 1);
    for index in 0..=MAX_NODES {
        let name = format!("node-{index}");
        let now = at(i64::try_from(index / 1000).unwrap() + 1);
        let key = nodes.arrive(now, "p", &name, unsaid(), 1);
        nodes.leave(Some(now), "p", &key);
    }
    let listed = nodes.list(at(12));
    assert_eq!(listed.len(), MAX_NODES + 1);
    assert_eq!(listed.first().map(|node| node.proxy.as_str()), Some("other"));
}

#[test]
fn processes_with_one_name_are_several_and_polls_of_one_are_one() {
    let nodes = Nodes::new(None);
    for (process, epoch) in [("1", 5), ("2", 6), ("1", 7)] {
        nodes.arrive(at(0), "p", "a", said(process, OnUnavailable::Deny), epoch);
    }
    let listed = nodes.list(at(0));
    let seen: Vec<_> =
        listed.iter().map(|known| (known.id.as_str(), known.epoch, known.same_node)).collect();
    assert_eq!(seen, [("1", 7, true), ("2", 6, true)]);
}

#[test]
fn without_a_process_name_and_address_tell_proxies_apart() {
    let nodes = Nodes::new(None);
    let from = |address: &str| About { address: address.parse().ok(), ..unsaid() };
    for (name, address) in
        [("a", "192.0.2.1"), ("a", "192.0.2.2"), ("b", "192.0.2.1"), ("a", "192.0.2.1")]
    {
        nodes.arrive(at(0), "p", name, from(address), 1);
    }
    let listed = nodes.list(at(0));
    assert_eq!(listed.len(), 3);
    let shared: Vec<_> = listed.iter().map(|known| known.same_node).collect();
    assert_eq!(shared, [true, true, false]);
    let ids: HashSet<_> = listed.iter().map(|known| known.id.len()).collect();
    assert_eq!(ids, HashSet::from([32]));
}

#[test]
fn a_silent_proxy_refuses_new_requests_when_its_patience_is_over() {
    let nodes = Nodes::new(None);
    for (process, on_unavailable) in [("1", OnUnavailable::Deny), ("2", OnUnavailable::Allow)] {
        let key = nodes.arrive(at(0), "p", "a", said(process, on_unavailable), 1);
        nodes.leave(Some(at(100)), "p", &key);
    }
    let refuses =
        |now| -> Vec<_> { nodes.list(now).iter().map(|known| known.refuses_new_since).collect() };
    assert_eq!(refuses(Moment::from_millis(114_999)), [None, None]);
    assert_eq!(refuses(at(115)), [Some(at(115)), None]);
    nodes.introspected(at(200), "p", &said("1", OnUnavailable::Deny));
    nodes.introspected(at(300), "other", &said("1", OnUnavailable::Deny));
    assert_eq!(refuses(at(200)), [None, None], "it asked about a token");
    assert_eq!(refuses(at(215)), [Some(at(215)), None]);
    assert_eq!(refuses(at(100 + MAX_GRANT_S)), [Some(at(215)), None], "what ran may run on");
    assert_eq!(nodes.list(at(200 + MAX_GRANT_S + CLOCK_SKEW_S)), []);
}

#[test]
fn one_that_allows_for_a_while_refuses_when_that_is_over() {
    let nodes = Nodes::new(None);
    let mut about = said("1", OnUnavailable::Allow);
    let bounds = about.bounds.unwrap();
    about.bounds = Some(Bounds { unavailable_for: Some(Duration::from_secs(900)), ..bounds });
    let key = nodes.arrive(at(0), "p", "a", about.clone(), 1);
    assert_eq!(nodes.list(at(2000))[0].refuses_new_since, None, "it is here");
    nodes.leave(Some(at(100)), "p", &key);
    let listed = |now| nodes.list(now).first().map(|node| (node.alive, node.refuses_new_since));
    assert_eq!(listed(Moment::from_millis(999_999)), Some((false, None)));
    assert_eq!(listed(at(1000)), Some((false, Some(at(1000)))));
    // Another configuration of the same process has no end.
    let key = nodes.arrive(at(1000), "p", "a", said("1", OnUnavailable::Allow), 1);
    nodes.leave(Some(at(1000)), "p", &key);
    assert_eq!(listed(at(10_000)), Some((false, None)));
}

#[test]
fn a_process_is_as_weak_as_the_weakest_of_its_configurations() {
    let nodes = Nodes::new(None);
    for on_unavailable in [OnUnavailable::Allow, OnUnavailable::Deny] {
        let key = nodes.arrive(at(0), "p", "a", said("1", on_unavailable), 1);
        nodes.leave(Some(at(0)), "p", &key);
    }
    assert_eq!(nodes.list(at(60)).first().map(|known| known.refuses_new_since), Some(None));
}

#[test]
fn an_introspection_without_a_process_is_a_sign_of_all_that_it_may_be_of() {
    let nodes = Nodes::new(None);
    let about = About { process: None, ..said("", OnUnavailable::Deny) };
    let elsewhere = About { address: "192.0.2.1".parse().ok(), ..about.clone() };
    for about in [&about, &elsewhere, &said("1", OnUnavailable::Deny)] {
        let key = nodes.arrive(at(0), "p", "a", about.clone(), 1);
        nodes.leave(Some(at(0)), "p", &key);
    }
    nodes.introspected(at(60), "p", &about);
    let listed = nodes.list(at(60));
    let alive = listed.iter().filter(|known| known.refuses_new_since.is_none());
    let alive: Vec<_> = alive.map(|known| known.about.clone()).collect();
    assert_eq!(alive, [about]);
}

#[test]
fn only_a_silent_proxy_is_forgotten_and_it_may_come_back() {
    let nodes = Nodes::new(None);
    let about = said("1", OnUnavailable::Deny);
    let key = nodes.arrive(at(0), "p", "a", about.clone(), 1);
    assert_eq!(nodes.silent(at(1000), "1"), Err(NotForgotten::Alive), "it waits");
    nodes.leave(Some(at(1000)), "p", &key);
    assert_eq!(nodes.silent(at(1014), "1"), Err(NotForgotten::Alive));
    assert_eq!(nodes.silent(at(1015), "2"), Err(NotForgotten::Unknown));
    let gone = nodes.silent(at(1015), "1").unwrap().remove(0);
    nodes.arrive(at(1016), "p", "a", about.clone(), 1);
    assert!(!nodes.forget(&gone), "it has come back");
    nodes.leave(Some(at(1016)), "p", &key);
    assert!(!nodes.forget(&gone), "it was there meanwhile");
    let gone = nodes.silent(at(1100), "1").unwrap().remove(0);
    assert!(nodes.forget(&gone));
    assert_eq!(nodes.list(at(1100)), []);
    assert!(!nodes.forget(&gone));
    nodes.arrive(at(1200), "p", "a", about, 1);
    assert_eq!(nodes.list(at(1200)).len(), 1);
}

//! What is known of who has heard of a revocation: a count of Envoy processes.

use crate::answer::{Killed, Node, OnUnavailable, Proxies, Revoked, Word, one_line};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::clock::{Moment, meant, rfc3339};

/// How long after its end a filter may take a token at most, in seconds. Relies on INVARIANT (skew).
const MAX_SKEW_S: i64 = breakglass_server::limits::CLOCK_SKEW_S;

/// What the proxies are to have heard of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awaited {
    epoch: i64,
    /// When the last of the revoked grants would have ended, and when the first was approved; nothing where
    /// that is not known of all of them.
    span: Option<(Moment, Moment)>,
}

impl Awaited {
    pub(super) fn one(revoked: &Revoked) -> Awaited {
        let end = meant(&revoked.expires_at);
        let approved = revoked.approved_at.as_ref().map(meant);
        Awaited {
            epoch: revoked.epoch,
            span: Some((end, approved.unwrap_or(Moment::from_millis(i64::MIN)))),
        }
    }

    /// `is_all` is false where an earlier attempt may have revoked others.
    pub(super) fn many(killed: &Killed, is_all: bool) -> Awaited {
        let end = killed.latest_expires_at.as_ref().map(meant);
        let approved = killed.earliest_approved_at.as_ref().map(meant);
        Awaited { epoch: killed.epoch, span: end.zip(approved).filter(|_| is_all) }
    }
}

/// How one proxy stands to it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand {
    Confirmed,
    /// It lives, or permits requests whose grant it cannot verify, or does not say.
    Behind,
    /// It refuses new requests since then, and may run streams until then.
    CutOff(Moment, Option<Moment>),
    /// It is silent, and nothing can run there under what was revoked.
    Harmless(&'static str),
}

/// What is known at one moment.
pub(super) struct Receipt<'a> {
    awaited: &'a Awaited,
    proxies: &'a Proxies,
    stands: Vec<(&'a Node, Stand)>,
}

impl<'a> Receipt<'a> {
    pub(super) fn new(proxies: &'a Proxies, awaited: &'a Awaited) -> Receipt<'a> {
        let stands = proxies.proxies.iter().map(|proxy| (proxy, stand(proxy, awaited))).collect();
        Receipt { awaited, proxies, stands }
    }

    /// Whether there is nothing to wait for: some proxy is known, and nothing that was revoked runs anywhere.
    pub(super) fn is_done(&self) -> bool {
        self.exit() == Exit::Done
    }

    pub(super) fn exit(&self) -> Exit {
        let any = |test: fn(&Stand) -> bool| self.stands.iter().any(|(_, stand)| test(stand));
        if self.stands.is_empty() || any(|stand| *stand == Stand::Behind) {
            Exit::Fail
        } else if any(|stand| matches!(stand, Stand::CutOff(..))) {
            Exit::CutOff
        } else {
            Exit::Done
        }
    }

    /// What is told once: each as a line.
    pub(super) fn events(&self) -> Vec<String> {
        let mut events = Vec::new();
        if !self.proxies.complete {
            let since = self.proxies.since.as_ref().map_or("a moment ago", |since| since.text());
            events.push(format!(
                "the service knows its proxies only since {since}: some may be missing"
            ));
        }
        let started = self.proxies.since.as_ref().map(meant);
        if let (Some((_, approved)), Some(started)) = (self.awaited.span, started)
            && self.proxies.complete
            && approved < started
        {
            events.push(format!(
                "the service knows its proxies only since {}: one that fell silent before is not counted, and may \
                 run streams under a grant that was approved before",
                rfc3339(started.seconds())
            ));
        }
        for (proxy, stand) in &self.stands {
            let name = name(proxy);
            if proxy.same_node {
                events.push(format!(
                    "  {name}: several live proxies have this node name; give each Envoy a node.id of its own"
                ));
            }
            match stand {
                Stand::Confirmed => events.push(format!("  {name}: confirmed")),
                Stand::CutOff(since, until) => {
                    events.push(format!("  {name}: not confirmed; {}", cut_off(*since, *until)));
                }
                Stand::Harmless(why) => {
                    events.push(format!("  {name}: not confirmed, and harmless: {why}"));
                }
                Stand::Behind => {}
            }
        }
        events
    }

    /// Such as `47 of 48 at epoch 912, 1 stale for 12 s`.
    pub(super) fn line(&self) -> String {
        if self.stands.is_empty() {
            return "no proxy reads the feed".to_owned();
        }
        let count =
            |test: fn(&Stand) -> bool| self.stands.iter().filter(|(_, one)| test(one)).count();
        let confirmed = count(|stand| *stand == Stand::Confirmed);
        let mut line =
            format!("{confirmed} of {} at epoch {}", self.stands.len(), self.awaited.epoch);
        let behind = self.stands.iter().filter(|(_, stand)| *stand == Stand::Behind);
        if let Some(stale) = behind.clone().map(|(proxy, _)| proxy.stale_for_s).max() {
            line.push_str(&format!(", {} stale for {stale} s", behind.count()));
        }
        let cut_off = self.stands.iter().filter_map(|(_, stand)| match stand {
            Stand::CutOff(since, until) => Some((*since, *until)),
            _ => None,
        });
        if let Some((since, until)) = cut_off.clone().reduce(latest) {
            line.push_str(&format!(
                ", {} gone or cut off: {}",
                cut_off.count(),
                self::cut_off(since, until)
            ));
        }
        match count(|stand| matches!(stand, Stand::Harmless(_))) {
            0 => {}
            harmless => line.push_str(&format!(", {harmless} silent and harmless")),
        }
        line
    }

    pub(super) fn tell_missing(&self, terminal: Terminal) {
        for (proxy, stand) in &self.stands {
            let Node { epoch, stale_for_s, .. } = proxy;
            let on_unavailable = proxy.on_unavailable.as_ref().and_then(Word::known);
            let why = match (stand, on_unavailable) {
                (Stand::Behind, Some(OnUnavailable::Allow)) => {
                    "; it permits requests whose grant it cannot verify (`on_unavailable: allow`)"
                }
                (Stand::CutOff(..), _) => "",
                (Stand::Behind, _) => "",
                _ => continue,
            };
            terminal.note(&format!(
                "  {}: not confirmed, at epoch {epoch}, last seen {stale_for_s} s ago{why}",
                name(proxy)
            ));
            if let (Stand::CutOff(..), Some(id)) = (stand, &proxy.id) {
                terminal.note(&format!(
                    "    if it is gone for good: breakglass proxies forget {} --reason WHY",
                    one_line(id)
                ));
            }
        }
        terminal.note(&self.line());
    }
}

fn name(proxy: &Node) -> String {
    format!("{} ({})", one_line(&proxy.node), one_line(&proxy.proxy))
}

fn cut_off(since: Moment, until: Option<Moment>) -> String {
    let until = until.map_or("their grants end".to_owned(), |until| rfc3339(until.seconds()));
    format!(
        "refuses new requests since {}, streams may run until {until}",
        rfc3339(since.seconds())
    )
}

fn latest(
    (since, until): (Moment, Option<Moment>),
    (other_since, other_until): (Moment, Option<Moment>),
) -> (Moment, Option<Moment>) {
    // Where it is not known of one it is not known of both.
    (since.max(other_since), until.zip(other_until).map(|(until, other)| until.max(other)))
}

fn stand(proxy: &Node, awaited: &Awaited) -> Stand {
    if proxy.epoch >= awaited.epoch {
        return Stand::Confirmed;
    }
    let refuses = proxy.refuses_new_since.as_ref().map(meant);
    let is_silent = refuses.is_some() || proxy.alive == Some(false);
    if !is_silent {
        return Stand::Behind;
    }
    let skew = proxy.clock_skew_s.unwrap_or(MAX_SKEW_S);
    let until = match awaited.span {
        Some((end, _)) => Some(Moment::from_seconds(end.seconds().saturating_add(skew))),
        // Of all that it has not heard of.
        None => proxy.streams_until.as_ref().map(meant),
    };
    // The service's clock, not ours.
    let now = meant(&proxy.last_seen).seconds().saturating_add(proxy.stale_for_s);
    if until.is_some_and(|until| now >= until.seconds()) {
        return Stand::Harmless("what was revoked has ended by itself");
    }
    let Some(since) = refuses else { return Stand::Behind };
    if awaited.span.is_some_and(|(_, approved)| approved >= since) {
        return Stand::Harmless("it refused new requests before the grants were approved");
    }
    Stand::CutOff(since, until)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::answer::{Answer, Whole};

    /// The time at the service, and the end of what was revoked.
    const NOW: i64 = 1_795_313_580;
    const END: i64 = NOW + 600;
    const APPROVED: i64 = NOW - 600;

    fn node(epoch: i64, stale_for_s: i64, more: Value) -> Value {
        let mut node = json!({
            "node": "n", "proxy": "p", "epoch": epoch, "stale_for_s": stale_for_s,
            "last_seen": rfc3339(NOW.saturating_sub(stale_for_s)),
        });
        node.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node
    }

    /// A silent one that refuses new requests since `since`.
    fn silent(since: i64) -> Value {
        node(
            3,
            40,
            json!({
                "alive": false, "on_unavailable": "deny", "clock_skew_s": 5,
                "refuses_new_since": rfc3339(since), "streams_until": rfc3339(END + 3600),
            }),
        )
    }

    fn proxies(nodes: &[Value]) -> Proxies {
        let since = rfc3339(NOW - 86_400);
        let json = json!({ "epoch": 912, "since": since, "complete": true, "proxies": nodes });
        Whole::<Proxies>::read(json).unwrap().body
    }

    fn judged(nodes: &[Value], awaited: &Awaited) -> (String, Exit) {
        let proxies = proxies(nodes);
        let receipt = Receipt::new(&proxies, awaited);
        (receipt.line(), receipt.exit())
    }

    fn of(end: i64, approved: i64) -> Awaited {
        let span = (Moment::from_seconds(end), Moment::from_seconds(approved));
        Awaited { epoch: 912, span: Some(span) }
    }

    #[test]
    fn counts_who_has_confirmed() {
        let awaited = of(END, APPROVED);
        let node = |epoch, stale| node(epoch, stale, json!({}));
        for (nodes, line, exit) in [
            (vec![], "no proxy reads the feed", Exit::Fail),
            (vec![node(912, 0), node(913, 0)], "2 of 2 at epoch 912", Exit::Done),
            (
                vec![node(912, 400), node(911, 12)],
                "1 of 2 at epoch 912, 1 stale for 12 s",
                Exit::Fail,
            ),
            (vec![node(0, 0), node(3, 12)], "0 of 2 at epoch 912, 2 stale for 12 s", Exit::Fail),
        ] {
            assert_eq!(judged(&nodes, &awaited), (line.to_owned(), exit));
        }
    }

    #[test]
    fn a_silent_proxy_is_cut_off_until_the_revoked_grants_have_ended() {
        let confirmed = node(912, 0, json!({}));
        let nodes = [confirmed.clone(), confirmed.clone(), silent(NOW - 20)];
        let (line, exit) = judged(&nodes, &of(END, APPROVED));
        assert_eq!(exit, Exit::CutOff);
        let words = format!(
            "2 of 3 at epoch 912, 1 gone or cut off: refuses new requests since {}, streams may run until {}",
            rfc3339(NOW - 20),
            rfc3339(END + 5)
        );
        assert_eq!(line, words);
        let (_, exit) = judged(&nodes, &of(NOW - 4, APPROVED));
        assert_eq!(exit, Exit::CutOff, "the filter's skew counts");
        let harmless = "2 of 3 at epoch 912, 1 silent and harmless";
        assert_eq!(judged(&nodes, &of(NOW - 5, APPROVED)), (harmless.to_owned(), Exit::Done));
        let after = of(END, NOW - 20);
        assert_eq!(judged(&nodes, &after), (harmless.to_owned(), Exit::Done), "it refused it");
        let unknown = Awaited { epoch: 912, span: None };
        let (line, exit) = judged(&nodes, &unknown);
        assert_eq!(exit, Exit::CutOff);
        assert!(line.ends_with(&rfc3339(END + 3600)), "of all that it missed: {line}");
    }

    #[test]
    fn alive_and_behind_is_not_cut_off() {
        let cut_off = silent(NOW - 20);
        let behind = node(3, 0, json!({ "alive": true, "on_unavailable": "deny" }));
        assert_eq!(judged(&[cut_off.clone(), behind], &of(END, APPROVED)).1, Exit::Fail);
        let allows = node(3, 40, json!({ "alive": false, "on_unavailable": "allow" }));
        assert_eq!(judged(std::slice::from_ref(&allows), &of(END, APPROVED)).1, Exit::Fail);
        assert_eq!(judged(&[allows], &of(NOW - 60, APPROVED)).1, Exit::Done, "no token counts");
        // An older filter, or an older service.
        let old = node(3, 40, json!({ "alive": false, "on_unavailable": null }));
        assert_eq!(judged(&[old], &of(END, APPROVED)).1, Exit::Fail);
        assert_eq!(judged(&[node(3, 40, json!({}))], &of(NOW - 60, APPROVED)).1, Exit::Fail);
    }

    #[test]
    fn says_what_it_cannot_know() {
        let mut proxies = proxies(&[node(912, 0, json!({ "same_node": true }))]);
        let awaited = of(END, APPROVED);
        let events = Receipt::new(&proxies, &awaited).events();
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events[0].contains("several live proxies have this node name"));
        proxies.since = rfc3339(NOW - 300).try_into().ok();
        let events = Receipt::new(&proxies, &awaited).events();
        assert!(events[0].contains("one that fell silent before is not counted"), "{events:?}");
        proxies.complete = false;
        let events = Receipt::new(&proxies, &awaited).events();
        assert!(events[0].ends_with("some may be missing"), "{events:?}");
    }
}

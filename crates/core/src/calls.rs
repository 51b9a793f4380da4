//! Questions to the outside: one call for all the requests that wait for the same answer.
//!
//! A call is queued when it is needed and sent from the tick, by the VM's root context, so that it
//! outlives whichever request asked first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::caller::Caller;
use crate::config::{Config, Endpoint, Feed, Introspection, RemoteJwks};
use crate::instant::Instant;
use crate::introspection;
use crate::probe::PROBE_REPORT_HEADER;
use crate::question::Question;
use crate::revocations::poll_timeout;
use crate::token::MIN_FETCH_INTERVAL;

/// The id of a request's stream, as Envoy numbers its contexts in one VM.
pub type StreamId = u32;

/// The id of a call: never used twice in one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(u64);

/// How much later than its timeout a call is given up, if Envoy has not ended it: a request that
/// waits is answered whatever happens.
const GRACE: Duration = Duration::from_millis(500);

/// How long a report of heads, or of the configuration, may take: no request waits for it.
const REPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a report of answered challenges may take: who asked waits no longer.
const PROBES_TIMEOUT: Duration = Duration::from_secs(2);

/// An HTTP call to be made through an Envoy cluster.
#[derive(Debug)]
pub struct Call {
    /// To hand back with the answer.
    pub id: CallId,
    /// The Envoy cluster.
    pub cluster: String,
    /// The headers, pseudo-headers included.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long Envoy is to wait.
    pub timeout: Duration,
}

/// What came of a call.
#[derive(Debug)]
pub enum Answer<'a> {
    /// A response, whole.
    Response {
        /// `:status`; 0 if it could not be read.
        status: u16,
        /// The body.
        body: &'a [u8],
    },
    /// No response: the call was reset.
    Failed,
    /// No response: Envoy took no call.
    NotSent,
    /// No response within the time of the call.
    TimedOut,
}

/// The calls that are queued or under way.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last_id: u64,
    open: BTreeMap<CallId, Open>,
    /// The time when the calls were last looked at.
    last_now: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    question: Question,
    waiting: Vec<StreamId>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The token that is asked about, the query of a poll, a report, or nothing; and when
    /// it may be sent.
    Queued {
        detail: Option<Box<str>>,
        not_before: Instant,
    },
    Sent {
        at: Instant,
        give_up_at: Instant,
    },
}

/// A call that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) question: Question,
    pub(crate) waiting: Vec<StreamId>,
    /// When it was sent.
    pub(crate) asked_at: Instant,
}

impl Calls {
    /// Lets `stream` wait for the answer to `question`, by a call that is under way or a new one.
    /// A new one is sent at `not_before` or later.
    pub(crate) fn wait(
        &mut self,
        stream: StreamId,
        question: Question,
        token: &[u8],
        not_before: Instant,
    ) {
        let token = match question {
            Question::Keys(_)
            | Question::Feed
            | Question::Head
            | Question::SharedHeads
            | Question::Probes
            | Question::Configuration
            | Question::Alerts => None,
            Question::Standing { .. } => Some(token),
        };
        self.queue(question, token, not_before).waiting.push(stream);
    }

    /// Queues a call that no request waits for, unless it is under way.
    pub(crate) fn queue_keys(&mut self, issuer: usize, now: Instant) {
        self.queue(Question::Keys(issuer), None, now);
    }

    /// Queues a poll of the feed with this query, unless one is under way.
    pub(crate) fn queue_feed(&mut self, query: &str, now: Instant) {
        self.queue(Question::Feed, Some(query.as_bytes()), now);
    }

    /// Queues a report of this VM's own head, with this body.
    pub(crate) fn queue_head(&mut self, report: &str, now: Instant) {
        self.queue(Question::Head, Some(report.as_bytes()), now);
    }

    /// Queues a report of the heads of several VMs, with this body.
    pub(crate) fn queue_shared_heads(&mut self, report: &str, now: Instant) {
        self.queue(Question::SharedHeads, Some(report.as_bytes()), now);
    }

    /// Queues a poll that reports answered challenges, with this query and these reports, at `not_before` or later.
    pub(crate) fn queue_probes(&mut self, query: &str, reports: &str, not_before: Instant) {
        let detail = format!("{query}\n{reports}");
        self.queue(Question::Probes, Some(detail.as_bytes()), not_before);
    }

    /// Queues a report of the configuration, with this body.
    pub(crate) fn queue_configuration(&mut self, report: &str, now: Instant) {
        self.queue(Question::Configuration, Some(report.as_bytes()), now);
    }

    /// Queues a report of alerts, with this body.
    pub(crate) fn queue_alerts(&mut self, report: &str, now: Instant) {
        self.queue(Question::Alerts, Some(report.as_bytes()), now);
    }

    /// What a call asks that was sent and is not answered, and when it was sent.
    pub(crate) fn under_way(&self, id: CallId) -> Option<(&Question, Instant)> {
        let open = self.open.get(&id)?;
        match open.state {
            State::Sent { at, .. } => Some((&open.question, at)),
            State::Queued { .. } => None,
        }
    }

    fn queue(
        &mut self,
        question: Question,
        detail: Option<&[u8]>,
        not_before: Instant,
    ) -> &mut Open {
        let under_way = self.open.iter().find(|(_, open)| open.question == question);
        let id = match under_way {
            Some((id, _)) => *id,
            None => {
                self.last_id = self.last_id.saturating_add(1);
                CallId(self.last_id)
            }
        };
        let text = |detail: &[u8]| String::from_utf8_lossy(detail).into_owned().into_boxed_str();
        self.open.entry(id).or_insert_with(|| Open {
            question,
            waiting: Vec::new(),
            state: State::Queued { detail: detail.map(text), not_before },
        })
    }

    /// The queued calls, ready to be sent. `still_waits` tells whether a stream is still there: a
    /// question about a grant that nobody waits for any more is not asked.
    pub(crate) fn send(
        &mut self,
        config: &Config,
        caller: &Caller<'_>,
        still_waits: impl Fn(StreamId) -> bool,
        now: Instant,
    ) -> Vec<Call> {
        self.notice(now);
        let mut calls = Vec::new();
        self.open.retain(|id, open| {
            let State::Queued { detail, not_before } = &open.state else { return true };
            if !is_due(*not_before, now) {
                return true;
            }
            let call = match (&open.question, detail) {
                (Question::Keys(issuer), _) => config
                    .issuers
                    .get(*issuer)
                    .and_then(|issuer| issuer.jwks.remote.as_ref())
                    .map(|remote| keys_call(*id, remote)),
                (Question::Standing { .. }, Some(token)) => {
                    let wanted = open.waiting.iter().any(|stream| still_waits(*stream));
                    let introspection = config.revocation.introspection.as_ref();
                    introspection.filter(|_| wanted).map(|introspection| {
                        let mut call = introspection_call(*id, introspection, config, token);
                        call.headers.extend(caller.name());
                        call
                    })
                }
                (Question::Feed, Some(query)) => {
                    let feed = config.revocation.feed.as_ref();
                    feed.map(|feed| {
                        let mut call = feed_call(*id, feed, config, query);
                        call.headers.extend(caller.describe());
                        call
                    })
                }
                (Question::Probes, Some(detail)) => {
                    let feed = config.revocation.feed.as_ref();
                    feed.zip(detail.split_once('\n')).map(|(feed, (query, reports))| {
                        let mut call = feed_call(*id, feed, config, query);
                        call.headers.extend(caller.describe());
                        call.headers.push((PROBE_REPORT_HEADER, reports.to_owned()));
                        call.timeout = PROBES_TIMEOUT;
                        call
                    })
                }
                (Question::Head | Question::SharedHeads, Some(report)) => {
                    let heads = config.audit.heads.as_ref();
                    heads.map(|endpoint| report_call(*id, endpoint, config, report))
                }
                (Question::Configuration, Some(report)) => {
                    let feed = config.revocation.feed.as_ref();
                    let endpoint = feed.and_then(Feed::configurations);
                    endpoint.map(|endpoint| report_call(*id, &endpoint, config, report))
                }
                (Question::Alerts, Some(report)) => config.alerts.as_ref().map(|alerts| {
                    let call = report_call(*id, &alerts.endpoint, config, report);
                    Call { timeout: alerts.timeout, ..call }
                }),
                (
                    Question::Standing { .. }
                    | Question::Feed
                    | Question::Probes
                    | Question::Head
                    | Question::SharedHeads
                    | Question::Configuration
                    | Question::Alerts,
                    None,
                ) => None,
            };
            let Some(call) = call else { return false };
            open.state = State::Sent { at: now, give_up_at: now.after(call.timeout).after(GRACE) };
            calls.push(call);
            true
        });
        calls
    }

    /// The calls that Envoy should have ended by now.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<CallId> {
        self.notice(now);
        let overdue = |open: &Open| match &open.state {
            State::Sent { give_up_at, .. } => now >= *give_up_at,
            State::Queued { .. } => false,
        };
        self.open.iter().filter(|(_, open)| overdue(open)).map(|(id, _)| *id).collect()
    }

    /// A clock that was set back must not let a request wait longer: the ends of calls go back with it.
    fn notice(&mut self, now: Instant) {
        let before = self.last_now.replace(now).unwrap_or(now);
        for open in self.open.values_mut() {
            if let State::Sent { at, give_up_at } = &mut open.state {
                *at = at.before(before.since(now));
                *give_up_at = give_up_at.before(before.since(now));
            }
        }
    }

    /// Ends a call; `None` if it was ended before.
    pub(crate) fn end(&mut self, id: CallId) -> Option<Ended> {
        let open = self.open.remove(&id)?;
        let asked_at = match open.state {
            State::Sent { at, .. } => at,
            // Nothing was asked, so nothing that is answered is known of any time.
            State::Queued { .. } => Instant::from_millis(0),
        };
        Some(Ended { question: open.question, waiting: open.waiting, asked_at })
    }

    /// Whether some call could be sent now.
    pub(crate) fn has_queued(&self, now: Instant) -> bool {
        let sendable = |open: &Open| matches!(open.state, State::Queued { not_before, .. } if is_due(not_before, now));
        self.open.values().any(sendable)
    }
}

/// Whether a call may be sent. A clock that was set back must not keep it from being sent: nothing
/// is queued for longer than this.
fn is_due(not_before: Instant, now: Instant) -> bool {
    now >= not_before || now.after(MIN_FETCH_INTERVAL) < not_before
}

fn keys_call(id: CallId, remote: &RemoteJwks) -> Call {
    let Endpoint { cluster, authority, path } = &remote.endpoint;
    Call {
        id,
        cluster: cluster.clone(),
        headers: vec![
            (":method", "GET".to_owned()),
            (":path", path.clone()),
            (":authority", authority.clone()),
            ("accept", "application/jwk-set+json, application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout: remote.timeout,
    }
}

fn feed_call(id: CallId, feed: &Feed, config: &Config, query: &str) -> Call {
    let Endpoint { cluster, authority, path } = &feed.endpoint;
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut headers = vec![
        (":method", "GET".to_owned()),
        (":path", format!("{path}{separator}{query}")),
        (":authority", authority.clone()),
        ("accept", "application/json".to_owned()),
    ];
    headers.extend(authorization(config));
    let cluster = cluster.clone();
    Call { id, cluster, headers, body: Vec::new(), timeout: poll_timeout(config) }
}

fn report_call(id: CallId, endpoint: &Endpoint, config: &Config, report: &str) -> Call {
    let Endpoint { cluster, authority, path } = endpoint;
    let mut headers = vec![
        (":method", "POST".to_owned()),
        (":path", path.clone()),
        (":authority", authority.clone()),
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    headers.extend(authorization(config));
    Call {
        id,
        cluster: cluster.clone(),
        headers,
        body: report.as_bytes().to_vec(),
        timeout: REPORT_TIMEOUT,
    }
}

/// This proxy's credential at the approval service, if it has one.
fn authorization(config: &Config) -> Option<(&'static str, String)> {
    let credential = config.revocation.credential.as_ref()?;
    Some(("authorization", format!("Bearer {}", credential.secret())))
}

fn introspection_call(
    id: CallId,
    introspection: &Introspection,
    config: &Config,
    token: &str,
) -> Call {
    let Endpoint { cluster, authority, path } = &introspection.endpoint;
    let mut headers = vec![
        (":method", "POST".to_owned()),
        (":path", path.clone()),
        (":authority", authority.clone()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    headers.extend(authorization(config));
    Call {
        id,
        cluster: cluster.clone(),
        headers,
        body: introspection::question(token),
        timeout: introspection.timeout,
    }
}

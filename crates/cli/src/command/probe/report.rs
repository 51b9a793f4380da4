//! What was found, for people and for programs.

use serde::Serialize;
use serde_json::json;

use super::ask::Reply;
use super::entrance::Entrance;
use crate::answer::{Enforcement, ProbeVerdict, ProbedNode, Verdict, one_line};
use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How much of a configuration's digest a line has, in digits.
const DIGITS: usize = 12;

/// What is known of one entrance.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Guarded(ProbedNode),
    Shadow(ProbedNode),
    /// A filter with this proxy's credential.
    Unreported(String),
    NotProven,
    /// A refusal in our form, with its reason.
    Refused(String),
    NotGuarded(String),
    NotReached(String),
}

/// One entrance, and what was found.
pub(super) struct Result {
    entrance: Entrance,
    state: State,
}

impl Result {
    /// The verdict counts for an answer alone.
    pub(super) fn new(entrance: Entrance, reply: Reply, verdict: &ProbeVerdict) -> Result {
        let state = match reply {
            Reply::NotReached(why) => State::NotReached(why),
            Reply::Other(what) => State::NotGuarded(what),
            Reply::Refused(reason) => State::Refused(reason),
            Reply::Answer(_) => match (verdict.verdict.known(), &verdict.node, &verdict.proxy) {
                (Some(Verdict::Guarded), Some(node), _)
                    if node.enforcement == Enforcement::Enforce =>
                {
                    State::Guarded(node.clone())
                }
                (Some(Verdict::Guarded), Some(node), _) => State::Shadow(node.clone()),
                (Some(Verdict::Unreported), _, Some(proxy)) => State::Unreported(proxy.clone()),
                _ => State::NotProven,
            },
        };
        Result { entrance, state }
    }
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            State::Guarded(_) => "guarded",
            State::Shadow(_) => "shadow",
            State::Unreported(_) => "unreported",
            State::NotProven => "not_proven",
            State::Refused(_) => "refused",
            State::NotGuarded(_) => "not_guarded",
            State::NotReached(_) => "not_reached",
        }
    }

    fn node(&self) -> Option<&ProbedNode> {
        match self {
            State::Guarded(node) | State::Shadow(node) => Some(node),
            _ => None,
        }
    }

    fn words(&self) -> String {
        match self {
            State::Guarded(node) => format!("guarded  {}", described(node)),
            State::Shadow(node) => {
                format!("in shadow mode, which refuses nothing  {}", described(node))
            }
            State::Unreported(proxy) => format!(
                "unreported: a filter with the credential of {} answered, and none of its processes has reported this \
                 configuration",
                one_line(proxy)
            ),
            State::NotProven => {
                "not proven: an answer that no proxy which the service knows has made".to_owned()
            }
            State::Refused(reason) => format!("refused in our form ({reason}), not proven"),
            State::NotGuarded(what) => format!("not guarded: {}", one_line(what)),
            State::NotReached(why) => format!("not reached: {}", one_line(why)),
        }
    }

    /// What to do about it.
    fn advice(&self) -> Option<&'static str> {
        match self {
            State::Guarded(node) if !node.alive => Some(
                "a proxy has not been heard of for longer than it believes what it knows: it gets no revocations. Its log \
                 says why (`the feed of revocations`); its cluster for the approval service, or the network between",
            ),
            State::Guarded(_) => None,
            State::Shadow(_) => Some(
                "shadow: set `enforcement: enforce` in the filter's configuration when what it would refuse is what you \
                 expect",
            ),
            State::Unreported(_) => Some(
                "unreported: a configuration without `revocation.feed` reports nothing; with one, look at the proxy's log \
                 and `breakglass proxies`, and ask again",
            ),
            State::NotProven => Some(
                "not proven: is the proxy's credential the one whose SHA-256 the service's configuration lists? Without a \
                 credential it has to reach the service within 2 s",
            ),
            State::Refused(_) => Some(
                "refused: an older filter answers no challenge. If it is not older: its key set (`jwks`) must be that of \
                 this service (`--audience NAME` where that has keys of its own), its clock right, and `iss` the \
                 service's `issuer`",
            ),
            State::NotGuarded(_) => Some(
                "not guarded: put the filter on that gateway or listener, as docs/install says for it, or close the \
                 entrance. If it is there, it could not verify the challenge: its issuer and keys must be those of this \
                 service, and its clock right; `/config_dump` of that Envoy says whether the filter is in the chain",
            ),
            State::NotReached(_) => Some(
                "not reached: whether it is guarded is not known; `--connect-to` and `--resolve` choose another address, \
                 `--entrance-ca-file` the certificates to trust",
            ),
        }
    }
}

/// Such as `edge (gate-1)  version 1.2.3  config 44136fa355b3  feed 3 s old`.
fn described(node: &ProbedNode) -> String {
    let digest = node.config.as_deref().unwrap_or("unknown");
    let digest: String = digest.chars().take(DIGITS).collect();
    let late = if node.alive { "" } else { ", too old to be believed" };
    format!(
        "{} ({})  version {}  config {}  feed {} s old{late}",
        one_line(&node.proxy),
        one_line(&node.node),
        one_line(node.version.as_deref().unwrap_or("unknown")),
        one_line(&digest),
        node.stale_for_s
    )
}

/// 0 only where all are guarded.
fn exit(results: &[Result]) -> Exit {
    let open = |one: &Result| matches!(one.state, State::NotGuarded(_) | State::Shadow(_));
    let guarded = |one: &Result| matches!(one.state, State::Guarded(_));
    if results.iter().any(open) {
        Exit::NotGuarded
    } else if !results.is_empty() && results.iter().all(guarded) {
        Exit::Done
    } else {
        Exit::Fail
    }
}

/// Prints all of it.
pub(super) fn tell(
    id: &str,
    results: &[Result],
    terminal: Terminal,
) -> std::result::Result<Exit, Failure> {
    let line = |one: &Result| format!("{}  {}", one.entrance.shown(), one.state.words());
    let entrances: Vec<Printed<'_>> = results.iter().map(printed).collect();
    let exit = exit(results);
    let answer = json!({ "probe": id, "all_guarded": exit == Exit::Done, "entrances": entrances });
    let lines: Vec<String> = results.iter().map(line).collect();
    terminal.result(&lines.join("\n"), &answer)?;
    let mut told: Vec<&str> = Vec::new();
    for advice in results.iter().filter_map(|one| one.state.advice()) {
        if !told.contains(&advice) {
            told.push(advice);
            terminal.note(advice);
        }
    }
    let guarded = results.iter().filter(|one| one.state.word() == "guarded").count();
    terminal.note(&format!("{guarded} of {} entrances are guarded", results.len()));
    Ok(exit)
}

/// One entrance, as `--json` prints it.
#[derive(Serialize)]
struct Printed<'a> {
    entrance: String,
    authority: &'a str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<PrintedNode<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The process behind it, as `--json` prints it.
#[derive(Serialize)]
struct PrintedNode<'a> {
    node: &'a str,
    proxy: &'a str,
    version: Option<&'a str>,
    config: Option<&'a str>,
    enforcement: &'a str,
    stale_for_s: i64,
    alive: bool,
}

impl<'a> From<&'a ProbedNode> for PrintedNode<'a> {
    fn from(node: &'a ProbedNode) -> PrintedNode<'a> {
        PrintedNode {
            node: &node.node,
            proxy: &node.proxy,
            version: node.version.as_deref(),
            config: node.config.as_deref(),
            enforcement: node.enforcement.word(),
            stale_for_s: node.stale_for_s,
            alive: node.alive,
        }
    }
}

fn printed(one: &Result) -> Printed<'_> {
    let node = one.state.node();
    Printed {
        entrance: one.entrance.shown(),
        authority: one.entrance.authority(),
        result: one.state.word(),
        node: node.map(PrintedNode::from),
        detail: node.is_none().then(|| one.state.words()),
    }
}

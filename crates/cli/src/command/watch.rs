//! `breakglass watch`: what happens, as it happens, to the requests that the caller may see.

use std::time::Duration;

use breakglass_api::Word;
use breakglass_api::alerts::Alert;
use breakglass_api::events::EventType;
use breakglass_api::watch::{WatchedEvent, WatchedRequest};
use serde_json::Value;
use tokio::time::Instant;

use super::retry::Notes;
use crate::answer::{brief, one_line};
use crate::client::{Client, Failure, ServerSent, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// How long one stream lasts at most: the service ends it sooner.
const LASTS: Duration = Duration::from_secs(130);

/// The first pause before the service is asked again that does not answer; it doubles up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only events of this type, such as `breakglass.request.submitted` or `breakglass.grant.*`; can be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,

    /// Only events of requests for this scope.
    #[arg(long)]
    scope: Option<String>,

    /// Only events of this request.
    #[arg(long)]
    request: Option<String>,

    /// Go on after this event: `after` of what --json printed last. Without it, from now on.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

/// Runs until it is interrupted, or the service refuses it.
pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = path(args);
    let mut last_id = args.after.clone().unwrap_or_default();
    let mut was_reached = false;
    let (mut notes, mut pause) = (Notes::default(), FIRST_PAUSE);
    loop {
        let start = Instant::now();
        let mut has_come = false;
        let after = last_id.clone();
        let ended = client.stream(&path, &after, LASTS, &mut |sent| {
            has_come = true;
            last_id.clone_from(&sent.id);
            tell(&sent, terminal)
        });
        was_reached |= has_come;
        match ended {
            Ok(()) => {}
            // A service that restarts, or a network that is gone for a moment, ends no watch: it was reached before.
            Err(failure) if was_reached && failure.may_pass_if_reached() => {
                notes.tell(&failure, terminal);
            }
            Err(failure) => return Err(failure),
        }
        // One that lasted is followed by the next at once.
        pause = match has_come && start.elapsed() > LAST_PAUSE {
            true => FIRST_PAUSE,
            false => pause.saturating_mul(2).min(LAST_PAUSE),
        };
        std::thread::sleep(pause);
    }
}

fn path(args: &Args) -> String {
    let types = (!args.types.is_empty()).then(|| args.types.join(","));
    let query: Vec<String> = [("type", &types), ("scope", &args.scope), ("request", &args.request)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", query_value(value.as_ref()?))))
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/v1/events{mark}{}", query.join("&"))
}

fn tell(sent: &ServerSent, terminal: Terminal) -> Result<(), Failure> {
    if sent.data.is_empty() {
        return Ok(());
    }
    let not_ours = |cause: serde_json::Error| {
        Failure::Failed(format!(
            "the service sent an event that is not understood here: {}; is `--url` the approval service's?",
            brief(&cause.to_string())
        ))
    };
    let mut json: Value = serde_json::from_str(&sent.data).map_err(not_ours)?;
    let event = serde_json::from_value(json.clone()).map_err(not_ours)?;
    if let Some(members) = json.as_object_mut() {
        members.insert("after".to_owned(), sent.id.clone().into());
    }
    terminal.result(&line(&event), &json)
}

/// An event on one line: when, what, by whom, and of which request.
fn line(event: &WatchedEvent) -> String {
    let mut parts = vec![event.time.text().to_owned(), format!("{:<18}", kind(&event.kind))];
    parts.push(event.actor.clone());
    parts.extend(event.request.as_ref().map(about));
    parts.extend(event.grant.as_ref().map(|grant| format!("grant {grant}")));
    parts.extend(event.alert.as_ref().map(alert));
    one_line(&parts.join("  "))
}

/// What a proxy says.
fn alert(alert: &Alert) -> String {
    let said = alert.data.alert.as_ref();
    let mut parts = Vec::new();
    if let Some(said) = said {
        let called = [&said.method, &said.host, &said.path];
        let called = called.into_iter().flatten().cloned().collect::<Vec<_>>();
        parts.push(called.join(" "));
        parts.extend(said.reason.clone());
        parts.extend(said.source_ip.as_ref().map(|address| format!("from {address}")));
        parts.extend(said.detail.clone());
    }
    parts.extend((alert.count > 1).then(|| format!("{} times", alert.count)));
    parts.retain(|part| !part.is_empty());
    format!("reported by {}: {}", alert.data.reported_by, parts.join(", "))
}

fn about(request: &WatchedRequest) -> String {
    let emergency = if request.emergency { "  EMERGENCY" } else { "" };
    let incident = request.incident.as_ref().map(|one| format!("  {one}")).unwrap_or_default();
    format!(
        "{}  {}: {} ({}) for {}{emergency}{incident}  {}",
        request.id,
        request.requester,
        request.scopes.join(", "),
        request.audience,
        request.duration,
        request.reason
    )
}

/// The type without what all have in common.
fn kind(kind: &Word<EventType>) -> &str {
    kind.word().strip_prefix("breakglass.").unwrap_or(kind.word())
}

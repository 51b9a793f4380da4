//! `breakglass audit verify --service`: the chain of the approval service's own events, from a file or from the service.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use breakglass_audit::service::{Check, Fault, Head, Keys, Verdict};
use breakglass_server::store::maintenance;
use serde_json::{Deserializer, Value, json};

use super::input::no_page;
use crate::answer::{EventsPage, Whole};
use crate::client::{Client, Failure, Settings, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;

/// What an SQLite file begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Checks the events in this file, a database or answers of `GET /v1/audit/events`; without a file, those that the service
/// answers now.
pub(super) fn run(
    files: &[PathBuf],
    keys: &[PathBuf],
    head: Option<&Path>,
    settings: &Settings,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let keys = read_keys(keys)?;
    let has_heads = head.is_some();
    let (heads, unreadable) = head.map_or(Ok((Vec::new(), 0)), read_heads)?;
    if unreadable > 0 {
        terminal.note(&format!(
            "--trail-head: {unreadable} lines are no heads and prove nothing, such as one that a full disk cut off"
        ));
    }
    let mut check = Check::new(&keys, &heads);
    match files {
        [] => ask(settings, &mut check)?,
        [file] => read(file, &mut check)?,
        files => {
            return Err(Failure::Invalid(format!(
                "expected at most one FILE with --service, got {}: a copy of the database, or one file with all answers \
                 of `GET /v1/audit/events` in their order; without one the service itself is asked",
                files.len()
            )));
        }
    }
    let verdict = check.end();
    terminal.result(&text(&verdict, has_heads), &as_json(&verdict))?;
    Ok(exit(&verdict))
}

/// Asks the service for all events, page by page.
fn ask(settings: &Settings, check: &mut Check<'_>) -> Result<(), Failure> {
    let client = Client::new(settings)?;
    let mut path = "/v1/audit/events".to_owned();
    loop {
        let page: Whole<EventsPage> = client.page(&path)?;
        if page.body.events.is_empty() {
            return Ok(());
        }
        let after = format!("/v1/audit/events?after={}", query_value(&page.body.next));
        if page.body.next.is_empty() || after == path {
            return Err(no_page("events"));
        }
        events(&page.json).into_iter().flatten().for_each(|event| check.event(event));
        path = after;
    }
}

/// Reads a file.
fn read(file: &Path, check: &mut Check<'_>) -> Result<(), Failure> {
    if is_database(file).map_err(|error| at(file, &error))? {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let mut each = |event| check.event(&event);
        runtime.block_on(maintenance::events(file, &mut each)).map_err(|error| at(file, &error))?;
    } else {
        let reader = BufReader::new(File::open(file).map_err(|error| at(file, &error))?);
        for page in Deserializer::from_reader(reader).into_iter::<Value>() {
            let page = page.map_err(|error| at(file, &error))?;
            let events = events(&page).ok_or_else(|| {
                at(file, &"expected answers of `GET /v1/audit/events`: an object with `events`")
            })?;
            events.iter().for_each(|event| check.event(event));
        }
    }
    Ok(())
}

/// The events of an answer.
fn events(page: &Value) -> Option<&Vec<Value>> {
    page.get("events").and_then(Value::as_array)
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Invalid(format!("{}: {error}", path.display()))
}

fn is_database(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    let length = u64::try_from(SQLITE.len()).unwrap_or(u64::MAX);
    File::open(path)?.take(length).read_to_end(&mut start)?;
    Ok(start == SQLITE)
}

/// The public keys in these files: the last word of each line, 64 hex digits, as `breakglass database trail-key` prints.
fn read_keys(paths: &[PathBuf]) -> Result<Keys, Failure> {
    let mut keys = Keys::default();
    for path in paths {
        let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let word = line.split_whitespace().last().unwrap_or_default();
            let public: Option<[u8; 32]> = breakglass_types::hex::decode(word);
            keys.add(public.ok_or_else(|| {
                let expected = "expected lines of `breakglass database trail-key`, each with 64 hex digits at its end";
                at(path, &format!("{expected}, got `{line}`"))
            })?);
        }
    }
    Ok(keys)
}

/// The heads in a file: one, or a line for each, as the service appends them; and how many lines are none.
fn read_heads(path: &Path) -> Result<(Vec<Head>, usize), Failure> {
    let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
    let expected = "expected heads, such as {\"seq\":7,\"hash\":\"..\"}";
    let whole: Result<Vec<Head>, _> = Deserializer::from_str(&text).into_iter().collect();
    let (heads, unreadable) = match whole {
        Ok(heads) => (heads, 0),
        Err(error) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let (mut heads, mut unreadable) = (Vec::new(), 0_usize);
            for line in lines {
                match serde_json::from_str(line) {
                    Ok(head) => heads.push(head),
                    Err(_) => unreadable = unreadable.saturating_add(1),
                }
            }
            if heads.is_empty() {
                return Err(at(path, &format!("{expected}: {error}")));
            }
            (heads, unreadable)
        }
    };
    match heads.is_empty() {
        true => Err(at(path, &format!("{expected}, got none"))),
        false => Ok((heads, unreadable)),
    }
}

fn text(verdict: &Verdict, has_heads: bool) -> String {
    let mut lines = vec![format!(
        "{} events, {} of them from before the chain; the last one is at place {}",
        verdict.events, verdict.before, verdict.last
    )];
    let mut findings: Vec<String> = verdict
        .findings
        .iter()
        .map(|one| format!("event {}: {}", one.seq, one.fault.text()))
        .collect();
    lines.append(&mut findings);
    lines.push(match (has_heads, verdict.proven) {
        (false, _) => "unproven: without --trail-head, events at the end may be missing".to_owned(),
        (true, Some(seq)) => format!(
            "proven up to event {seq}; {} came after it, and whether these are all is unproven",
            verdict.unproven
        ),
        (true, None) => "not proven up to the head".to_owned(),
    });
    if let Some(hash) = &verdict.head {
        lines.push(format!("head {}", json!({ "seq": verdict.last, "hash": hash })));
    }
    lines.join("\n")
}

fn as_json(verdict: &Verdict) -> Value {
    let findings =
        verdict.findings.iter().map(|one| json!({ "seq": one.seq, "what": one.fault.text() }));
    json!({
        "events": verdict.events,
        "before": verdict.before,
        "proven": verdict.proven,
        "unproven": verdict.unproven,
        "findings": findings.collect::<Vec<Value>>(),
        "head": verdict.head.as_ref().map(|hash| json!({ "seq": verdict.last, "hash": hash })),
    })
}

fn exit(verdict: &Verdict) -> Exit {
    let is_missing = |fault: &Fault| {
        matches!(fault, Fault::NotNext | Fault::HeadMissing | Fault::LostByRestore { .. })
    };
    let broken = verdict.findings.iter().any(|one| !is_missing(&one.fault));
    // What no head vouches for may miss its end.
    let incomplete = verdict.proven.is_none() && !broken
        || verdict.findings.iter().any(|one| is_missing(&one.fault));
    match (broken, incomplete) {
        _ if verdict.events == 0 && verdict.findings.is_empty() => Exit::NothingChecked,
        (true, true) => Exit::BrokenAndIncomplete,
        (true, false) => Exit::Broken,
        (false, true) => Exit::Incomplete,
        (false, false) => Exit::Done,
    }
}

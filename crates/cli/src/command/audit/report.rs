//! `breakglass audit report`: the evidence about a grant, an incident or a person.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::input::{Input, no_page};
use super::verify::exit;
use crate::answer::{Evidence, Mismatch, Whole};
use crate::client::{Client, Failure, Settings, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_audit::report::{About, Collector};
use breakglass_server::clock::{Clock, SystemClock, rfc3339};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    what: What,

    #[command(flatten)]
    input: Input,

    /// Write the report as a page for people to this file too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Report what is in the log, and do not ask the approval service for the requests.
    #[arg(long)]
    log_only: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// About this grant.
    #[arg(long, value_name = "GRANT")]
    grant: Option<String>,

    /// About this incident.
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<String>,

    /// About what this person asked for and did.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let about = args.what.about()?;
    let requests = match args.log_only {
        true => None,
        false => Some(requests(&Client::new(settings)?, &about)?),
    };
    let now = SystemClock.now().map_err(|error| Failure::Failed(error.to_string()))?;
    let mut collector = Collector::new(about);
    let verdict = args.input.check(settings, &mut |seen| collector.seen(&seen))?;
    let report = collector.finish(&verdict, requests, &rfc3339(now.seconds()));
    if let Some(path) = &args.html {
        fs::write(path, report.html())
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    }
    terminal.result(&report.text(), &report.0)?;
    Ok(match exit(&verdict, args.input.allow_empty) {
        Exit::Done if report.found_nothing() && !args.input.allow_empty => Exit::NothingFound,
        other => other,
    })
}

impl What {
    fn about(&self) -> Result<About, Failure> {
        let grant = self.grant.clone().map(About::Grant);
        let incident = self.incident.clone().map(About::Incident);
        let about = grant.or(incident).or_else(|| self.subject.clone().map(About::Subject));
        about.ok_or_else(|| Failure::Invalid("say what the report is about".to_owned()))
    }
}

/// What the service knows, page by page.
fn requests(client: &Client, about: &About) -> Result<Vec<Value>, Failure> {
    let query = format!("/v1/audit/requests?{}={}", about.member(), query_value(about.value()));
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let mut page: Whole<Evidence> =
            client.page(&format!("{query}&after={}", query_value(&after)))?;
        if let About::Grant(asked) = about {
            for evidence in &page.body.requests {
                let grant = evidence.request.grant.as_ref().map(|grant| grant.id.as_str());
                Mismatch::check("grant", asked, grant.unwrap_or_default())?;
            }
        }
        if let Some(Value::Array(more)) = page.json.get_mut("requests") {
            append(&mut found, std::mem::take(more));
        }
        match page.body.next {
            None => return Ok(found),
            Some(next) if next > after => after = next,
            Some(_) => return Err(no_page("requests")),
        }
    }
}

/// Appends a page. A request whose trail did not fit on the page before is the first of the next one again, with
/// the rest of it.
fn append(found: &mut Vec<Value>, mut page: Vec<Value>) {
    let id = |entry: &Value| entry.pointer("/request/id").cloned();
    if let (Some(last), Some(first)) = (found.last_mut(), page.first_mut())
        && id(last) == id(first)
        && let (Some(Value::Array(trail)), Some(Value::Array(rest))) =
            (last.get_mut("trail"), first.get_mut("trail"))
    {
        trail.append(rest);
        page.remove(0);
    }
    found.append(&mut page);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_parts_of_a_trail_are_put_together() {
        let entry = |id: &str, trail: &[i64]| json!({ "request": { "id": id }, "trail": trail });
        let mut found = Vec::new();
        append(&mut found, vec![entry("a", &[1]), entry("b", &[2])]);
        append(&mut found, vec![entry("b", &[3])]);
        append(&mut found, vec![entry("b", &[4]), entry("c", &[5])]);
        append(&mut found, vec![entry("d", &[])]);
        let whole = [entry("a", &[1]), entry("b", &[2, 3, 4]), entry("c", &[5]), entry("d", &[])];
        assert_eq!(found, whole);
    }
}

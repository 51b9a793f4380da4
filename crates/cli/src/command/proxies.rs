//! `breakglass proxies`: who reads the feed of revocations, and how far each has read.

use std::path::PathBuf;

use breakglass_api::request::Why;

use super::expect::Expected;
use crate::answer::{Forgotten, Mismatch, Node, Proxies, Whole, one_line};
use crate::client::{Client, Failure, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file with the names that should be there (of credentials or nodes), one a line; with a number behind it, so many
    /// Envoy processes at least. Prints those that are missing, and ends with 1 if there are any.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say that a silent proxy is gone for good: no receipt counts it any more.
    Forget {
        /// The proxy's id, as `breakglass proxies` lists it.
        #[arg(value_name = "ID")]
        id: String,

        /// How you know; the service's trail keeps it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        Some(Verb::Forget { .. }) if args.expect.is_some() => Err(Failure::Invalid(
            "`--expect` is for the list of proxies, not for `forget`".to_owned(),
        )),
        Some(Verb::Forget { id, reason }) => forget(id, reason, client, terminal),
        None => match &args.expect {
            None => list(client, terminal),
            // Before anything is asked.
            Some(path) => {
                let expected = Expected::read(path)?;
                let answer: Whole<Proxies> = client.get("/v1/proxies")?;
                expected.tell(&answer.body, terminal)
            }
        },
    }
}

fn list(client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let answer: Whole<Proxies> = client.get("/v1/proxies")?;
    let Proxies { epoch, since, proxies, .. } = &answer.body;
    let lines: Vec<String> = proxies.iter().map(|proxy| line(proxy, *epoch)).collect();
    let since = since.as_ref().map_or("an unknown time", |since| since.text());
    terminal.note(&format!("the feed is at epoch {epoch}; proxies are known since {since}"));
    if lines.is_empty() {
        terminal.note("no proxy reads the feed");
        if !terminal.json {
            return Ok(Exit::Done);
        }
    }
    terminal.result(&lines.join("\n"), &answer.json)?;
    Ok(Exit::Done)
}

fn forget(id: &str, reason: &str, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let path = format!("/v1/proxies/{}/forget", segment(id)?);
    let answer: Whole<Forgotten> = client.post(&path, &Why { reason: reason.to_owned() })?;
    Mismatch::check("id", id, &answer.body.id)?;
    for gone in &answer.body.forgotten {
        terminal.note(&format!(
            "{} ({}), last seen at {}, is counted no more, unless it comes back",
            one_line(&gone.node),
            one_line(&gone.proxy),
            gone.last_seen.text()
        ));
    }
    terminal.result("forgotten", &answer.json)?;
    Ok(Exit::Done)
}

fn line(proxy: &Node, latest: i64) -> String {
    let epoch = proxy.epoch;
    let behind = match latest.saturating_sub(epoch) {
        ..=0 => "current".to_owned(),
        behind => format!("{behind} behind"),
    };
    let stale = match proxy.stale_for_s {
        0 => "here".to_owned(),
        seconds => format!("stale for {seconds} s"),
    };
    let (node, name) = (one_line(&proxy.node), one_line(&proxy.proxy));
    let mut line = format!("{node}  {name}  epoch {epoch}  {behind}  {stale}");
    if let Some(version) = &proxy.version {
        line.push_str(&format!("  version {}", one_line(version)));
    }
    if let Some(since) = &proxy.refuses_new_since {
        line.push_str(&format!("  refuses new requests since {}", since.text()));
    }
    if let Some(until) = &proxy.streams_until {
        line.push_str(&format!("  streams may run until {}", until.text()));
    }
    for kid in proxy.missing_keys.iter().flatten() {
        line.push_str(&format!("  does not have the signing key {}", one_line(kid)));
    }
    if proxy.same_node {
        line.push_str("  shares its node name with another live proxy");
    }
    if let Some(id) = &proxy.id {
        line.push_str(&format!("  {}", one_line(id)));
    }
    line
}

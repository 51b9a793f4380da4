//! `breakglass audit heads`: what proxies reported, to be kept beside a log.

use serde_json::{Value, json};

use super::input::{instant, pages};
use crate::client::{Client, Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what was reported at this instant or later.
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    since: Option<String>,

    /// Only what this node reported.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
}

pub(super) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    let client = Client::new(settings)?;
    let mut heads = Vec::new();
    let mut as_of = Value::Null;
    pages(&client, args.since.as_deref(), args.node.as_deref(), &mut |mut page| {
        as_of = page.get_mut("as_of").map(Value::take).unwrap_or_default();
        if let Some(Value::Array(more)) = page.get_mut("heads") {
            heads.append(more);
        }
        Ok(())
    })?;
    let all = json!({ "as_of": as_of, "heads": heads });
    // Either way it is JSON: that is what it is for.
    terminal.result(&all.to_string(), &all)?;
    Ok(Exit::Done)
}

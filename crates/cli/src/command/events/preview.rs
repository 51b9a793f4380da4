//! `breakglass events preview`: what a sink would be sent of an example, by the configuration alone. No secret is read, and
//! nothing is sent.

use std::path::PathBuf;

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use breakglass_server::clock::{Clock as _, SystemClock};
use breakglass_server::config::Sink;
use breakglass_server::reload::ConfigFile;
use breakglass_server::sinks::{Event, For, Message, Notice, prepare, takes};
use serde_json::{Value, json};

use crate::client::Failure;
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service's configuration, in TOML: a file, or a folder of files.
    #[arg(long, value_name = "PATH", default_value = "/etc/breakglass/config.toml")]
    config: PathBuf,

    /// The sink, by its name there.
    #[arg(long, value_name = "NAME")]
    sink: String,

    /// The type of the event.
    #[arg(long = "type", value_name = "TYPE", default_value = "breakglass.request.submitted")]
    kind: String,
}

pub(super) fn run(args: &Args, terminal: Terminal) -> Result<Exit, Failure> {
    let file = ConfigFile::read(&args.config, &[]).result;
    let file = file
        .map_err(|error| Failure::Invalid(format!("the configuration is not valid:\n{error}")))?;
    let sinks = &file.config.sinks;
    let Some(sink) = sinks.iter().find(|sink| sink.name == args.sink) else {
        let names: Vec<&str> = sinks.iter().map(|sink| sink.name.as_str()).collect();
        return Err(Failure::Invalid(format!(
            "--sink: expected the name of a sink in {}, got `{}`: it has {}",
            args.config.display(),
            args.sink,
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        )));
    };
    if EventType::of(&args.kind).is_none() {
        let known: Vec<&str> = EventType::ALL.iter().map(|one| one.word()).collect();
        return Err(Failure::Invalid(format!(
            "--type: expected one of {}, got `{}`",
            known.join(", "),
            args.kind
        )));
    }
    let now = SystemClock.now().map_err(|error| Failure::Failed(error.to_string()))?;
    let notice = Notice::example(&args.kind, now);
    let (source, purpose) = (&file.config.issuer, For::Preview);
    let event = Event { notice: &notice, source, now, purpose, to: None };
    if !takes(sink, &notice) {
        terminal
            .note("this sink is not told of such an event: its kind or its filters leave it out");
    }
    let message = prepare(sink, event).map_err(Failure::Failed)?;
    let (text, value) = shown(sink, &message);
    terminal.result(&text, &value)?;
    Ok(Exit::Done)
}

fn shown(sink: &Sink, message: &Message) -> (String, Value) {
    match message {
        Message::Call(call) => {
            let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let mut lines = vec![format!("POST {}", call.shown_url())];
            lines.extend(call.headers.iter().map(|(name, value)| format!("{name}: {value}")));
            lines.extend([String::new(), format!("{body:#}")]);
            let headers: Value = call
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            let value = json!({
                "sink": sink.name, "url": call.shown_url(), "headers": headers, "body": body,
            });
            (lines.join("\n"), value)
        }
        Message::Letter(letter) => {
            let text = String::from_utf8_lossy(&letter.text).replace("\r\n", "\n");
            let to: Vec<String> = letter.envelope.to().iter().map(ToString::to_string).collect();
            let value = json!({ "sink": sink.name, "to": to, "letter": text });
            (text, value)
        }
    }
}

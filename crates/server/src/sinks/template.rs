//! A message's body in the words of the configuration: a template in the syntax of Jinja, from a file.
//!
//! A template loads no other file and calls nothing. What it writes of an event is one line without anything that misleads, and
//! is escaped for the format here, whatever the template says: no filter and no block turns that off.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::event::{Event, For};
use super::notice::{Asked, Notice};
use super::one_line::{MAX_VALUE, shown};
use super::words::{Words, words};
use crate::clock::Moment;
use crate::config::Sink;
use crate::duration;

/// The largest template, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// How much a template may do: steps, and bytes that it writes.
const FUEL: u64 = 200_000;

/// The types of which every template is tried, beside those of [`EventType`]: an alert, and one that is not known.
const OTHER_TYPES: [&str; 2] = ["breakglass.alert.out_of_scope", "breakglass.of_a_newer_version"];

/// When the examples happened.
const EXAMPLES_AT_S: i64 = 1_800_000_000;

/// What escapes one line for a format.
pub(super) type Escape = fn(&str) -> String;

/// The body of a message by the sink's template; none where it has none. Where the template cannot be used the message goes
/// out in the usual words all the same, with a line that says so: an event must reach people.
pub(super) fn body(
    sink: &Sink,
    escape: Escape,
    words: &mut Words,
    event: Event<'_>,
) -> Option<String> {
    let file = sink.template_file.as_deref()?;
    match read(file).and_then(|source| render(&source, escape, words, event)) {
        Ok(text) => Some(text),
        Err(why) => {
            let file = file.display();
            tracing::warn!(sink = sink.name, event = event.notice.id, %file, why, "the template failed: the usual words are sent");
            let text = "the template of this sink failed, and these are the usual words: the service's log says why";
            words.lines.push(("Template", text.to_owned()));
            None
        }
    }
}

/// What is wrong with the templates of these sinks: the index of each sink, and what was expected. Each is tried with an
/// example of every type of events.
#[must_use]
pub fn check_templates(sinks: &[Sink]) -> Vec<(usize, String)> {
    let wrong = |(index, sink): (usize, &Sink)| Some((index, check(sink).err()?));
    sinks.iter().enumerate().filter_map(wrong).collect()
}

fn check(sink: &Sink) -> Result<(), String> {
    let Some(file) = &sink.template_file else { return Ok(()) };
    let at = |why: String| format!("{}: {why}", file.display());
    let source = read(file).map_err(at)?;
    let now = Moment::from_seconds(EXAMPLES_AT_S);
    for kind in EventType::ALL.iter().map(|one| one.word()).chain(OTHER_TYPES) {
        let notice = Notice::example(kind, now);
        let source_url = "https://approvals.example";
        let purpose = For::Preview;
        let event = Event { notice: &notice, to: None, source: source_url, now, purpose };
        render(&source, str::to_owned, &words(&notice), event)
            .map_err(|why| at(format!("{why}, for an event of the type {kind}")))?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, String> {
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    let mut text = String::new();
    // A byte more than is allowed shows that there is more.
    let limited = &mut opened.take(MAX_BYTES.saturating_add(1));
    limited.read_to_string(&mut text).map_err(|error| error.to_string())?;
    match u64::try_from(text.len()).is_ok_and(|bytes| bytes <= MAX_BYTES) {
        true => Ok(text),
        false => Err(format!("expected a template of at most {MAX_BYTES} bytes, got more")),
    }
}

fn render(source: &str, escape: Escape, words: &Words, event: Event<'_>) -> Result<String, String> {
    let mut environment = Environment::new();
    // What is written is escaped below: these would only seem to turn it off, or escape for another format.
    for filter in ["safe", "escape", "e"] {
        environment.remove_filter(filter);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(move |output, _, value| {
        let text = if value.is_none() { Cow::Borrowed("") } else { Cow::Owned(value.to_string()) };
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                output.write_str("\n")?;
            }
            output.write_str(&escape(line))?;
        }
        Ok(())
    });
    let failed = |error: minijinja::Error| {
        let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
        let detail = error.detail().map_or_else(String::new, |detail| format!(" ({detail})"));
        shown(&format!("{line}{}{detail}", error.kind()), MAX_VALUE)
    };
    environment.render_str(source, values(words, event)).map_err(failed)
}

/// What a template can write.
fn values(words: &Words, event: Event<'_>) -> Value {
    let notice = event.notice;
    let lines = words
        .lines
        .iter()
        .map(|(label, value)| context! { label => *label, value => value.as_str() });
    context! {
        title => words.title.as_str(),
        lines => lines.collect::<Vec<_>>(),
        command => words.command.as_ref().map(|command| command.text.clone()),
        command_label => words.command.as_ref().map(|command| command.label),
        link => event.link(),
        event => context! {
            id => notice.id.as_str(),
            type => notice.kind.as_str(),
            time => notice.time(),
            severity => notice.severity().word(),
            actor => shown(&notice.actor, MAX_VALUE),
        },
        request => notice.asked.as_ref().map(|asked| request(notice, asked)),
    }
}

fn request(notice: &Notice, asked: &Asked) -> Value {
    let text = |text: &str| shown(text, MAX_VALUE);
    let of = |text: &Option<String>| text.as_deref().map(|one| shown(one, MAX_VALUE));
    let all = |texts: &[String]| texts.iter().map(|one| text(one)).collect::<Vec<_>>();
    context! {
        id => of(&notice.request),
        grant => of(&notice.grant),
        requester => text(&asked.requester),
        environment => of(&notice.audience),
        incident => of(&notice.incident),
        scopes => all(&asked.scopes),
        opens => all(&asked.opens),
        reason => text(&asked.reason),
        duration => duration::format(asked.duration_s),
        emergency => asked.emergency,
    }
}

//! `breakglass probe`: asks entrances whether the filter is there, and the service whether that is true.
//!
//! 1. An entrance is guarded only if the service has recognised its answer: whatever else comes back is not.
//! 2. Nothing that was not asked is guarded: without an entrance there is no result.

mod ask;
mod entrance;
mod report;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::until_answered::Deadline;
use crate::answer::{Challenge, Mismatch, ProbeVerdict, ProbeVerdicts, Whole};
use crate::client::{Client, Failure, certificates};
use crate::exit::Exit;
use crate::terminal::Terminal;
use ask::{Asking, Reply};
use breakglass_api::probe::{ProbeAnswer, ProbeAnswers, ProbeAsk};
use breakglass_server::duration;
use entrance::{Entrance, Rule};

/// How many entrances are asked at a time.
const AT_ONCE: usize = 16;

/// The most entrances of one call: the challenge lives for a minute.
const MAX_ENTRANCES: usize = 256;

/// How long all of them may take: after that the challenge has to be good for their answers.
const ALL: Duration = Duration::from_secs(40);

/// The most answers that the service takes at a time.
const PAGE: usize = 64;

/// The exit codes of this verb.
pub(crate) const HELP: &str = "\
Each entrance is one of:
  guarded      the filter of a proxy that the service knows has answered
  shadow       it has, and refuses nothing (`enforcement: shadow`)
  unreported   a filter with a proxy's credential has answered, by a configuration that no process
               of that proxy has reported: it reads no feed, or cannot reach the service
  not proven   an answer came, and no proxy that the service knows has made it
  refused      a refusal in the filter's form came, which proves nothing
  not guarded  anything else came
  not reached  nothing came

Exit codes:
  0  all are guarded
  2  at least one is not guarded, or is in shadow mode
  1  none of these, and not all are guarded; or the service was unreachable, or refused
  3  invalid input: command line, no entrance, an entrance that is no URL";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An entrance, such as `https://orders.internal/v1/orders`: any host, port and path that the gateway serves.
    #[arg(value_name = "URL")]
    urls: Vec<String>,

    /// A file with entrances, one a line: `URL`, or `URL ADDRESS:PORT` to connect to that address. `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Connect to ADDRESS for HOST:PORT, as curl does. If several fit an entrance, each is asked.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<String>,

    /// Connect to TO_HOST:TO_PORT for HOST:PORT, as curl does; an empty part means any, or the same. If several fit an
    /// entrance, each is asked.
    #[arg(long, value_name = "HOST:PORT:TO_HOST:TO_PORT")]
    connect_to: Vec<String>,

    /// How long one entrance may take.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse_exact)]
    timeout: Duration,

    /// The audience of the entrances, where it has signing keys of its own: their filters have no others.
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,

    /// A PEM file with the certificates to trust for entrances. Without it those of `--ca-file`, or the public ones.
    #[arg(long, value_name = "FILE")]
    entrance_ca_file: Option<PathBuf>,
}

pub(crate) fn run(
    args: &Args,
    ca_file: Option<&PathBuf>,
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let entrances = entrances(args)?;
    let trusted = match args.entrance_ca_file.as_ref() {
        Some(path) => Some(certificates("`--entrance-ca-file`", path)?),
        None => ca_file
            .map(|path| certificates("`--ca-file` or BREAKGLASS_CA_FILE", path))
            .transpose()?,
    };
    let answer: Whole<Challenge> =
        client.post("/v1/probes", &ProbeAsk { audience: args.audience.clone() })?;
    let challenge = answer.body;
    let asking = Asking { challenge: &challenge.challenge, timeout: args.timeout, trusted };
    let replies = ask_all(&entrances, &asking);
    let mut verdicts = Vec::new();
    for (entrances, replies) in entrances.chunks(PAGE).zip(replies.chunks(PAGE)) {
        verdicts.extend(judge(&challenge.id, entrances, replies, client)?);
    }
    let judged = entrances.iter().zip(replies).zip(verdicts);
    let results = judged
        .map(|((entrance, reply), verdict)| report::Result::new(entrance.clone(), reply, &verdict));
    report::tell(&challenge.id, &results.collect::<Vec<_>>(), terminal)
}

/// What is to be asked: each once.
fn entrances(args: &Args) -> Result<Vec<Entrance>, Failure> {
    let resolve = args.resolve.iter().map(|text| Rule::resolve(text));
    let connect_to = args.connect_to.iter().map(|text| Rule::connect_to(text));
    let rules = resolve.chain(connect_to).collect::<Result<Vec<Rule>, Failure>>()?;
    let mut found: Vec<Entrance> = Vec::new();
    for url in &args.urls {
        found.extend(Entrance::parse(url)?.by(&rules));
    }
    if let Some(path) = &args.file {
        found.extend(entrance::read(path)?.into_iter().flat_map(|one| one.by(&rules)));
    }
    let mut entrances: Vec<Entrance> = Vec::new();
    for one in found {
        if !entrances.contains(&one) {
            entrances.push(one);
        }
    }
    if entrances.is_empty() {
        return Err(Failure::Invalid(
            "nothing to ask: name at least one entrance, such as `breakglass probe https://orders.internal/`, or a \
             `--file` that has one"
                .to_owned(),
        ));
    }
    if entrances.len() > MAX_ENTRANCES {
        return Err(Failure::Invalid(format!(
            "expected at most {MAX_ENTRANCES} entrances, got {}: ask in several calls",
            entrances.len()
        )));
    }
    Ok(entrances)
}

/// The replies, in the order of the entrances.
fn ask_all(entrances: &[Entrance], asking: &Asking<'_>) -> Vec<Reply> {
    let deadline = Deadline::after(ALL);
    let next = AtomicUsize::new(0);
    let replies = Mutex::new(vec![None; entrances.len()]);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(entrances.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(entrance) = entrances.get(index) else { return };
                    let reply = asking.ask(entrance, deadline.left());
                    if let Ok(mut replies) = replies.lock()
                        && let Some(place) = replies.get_mut(index)
                    {
                        *place = Some(reply);
                    }
                }
            });
        }
    });
    let replies = replies.into_inner().unwrap_or_default();
    let missing = || Reply::NotReached("it was not asked: the command line failed".to_owned());
    let mut replies: Vec<Reply> =
        replies.into_iter().map(|reply| reply.unwrap_or_else(missing)).collect();
    replies.resize_with(entrances.len(), missing);
    replies
}

/// What the service says of these replies.
fn judge(
    id: &str,
    entrances: &[Entrance],
    replies: &[Reply],
    client: &Client,
) -> Result<Vec<ProbeVerdict>, Failure> {
    let pairs = entrances.iter().zip(replies);
    let answers = pairs.map(|(entrance, reply)| {
        let answer = match reply {
            Reply::Answer(text) => Some(text.clone()),
            _ => None,
        };
        let (entrance, authority) = (entrance.shown(), entrance.authority().to_owned());
        ProbeAnswer { entrance, authority, answer }
    });
    let body = ProbeAnswers { answers: answers.collect() };
    let answer: Whole<ProbeVerdicts> = client.post(&format!("/v1/probes/{id}/answers"), &body)?;
    let ProbeVerdicts { id: of, verdicts, .. } = answer.body;
    Mismatch::check("id", id, &of)?;
    let (asked, got) = (entrances.len().to_string(), verdicts.len().to_string());
    Mismatch::check("verdicts", &asked, &got)?;
    for (entrance, verdict) in entrances.iter().zip(&verdicts) {
        Mismatch::check("entrance", &entrance.shown(), &verdict.entrance)?;
        Mismatch::check("authority", entrance.authority(), &verdict.authority)?;
    }
    Ok(verdicts)
}

//! `breakglass review`: a person who took no part looks at a used grant once it has ended, and signs or disputes it.

use std::io::{IsTerminal as _, stdin};
use std::path::PathBuf;

use breakglass_api::reviews::{DisputeReview, SignReview};
use serde::Serialize;

use super::log_verdict;
use super::review_shown::{in_full, line};
use super::when::now;
use crate::answer::{Mismatch, Review, ReviewInFull, ReviewState, Reviews, Whole, one_line};
use crate::client::{Client, Failure, query_value, segment};
use crate::exit::Exit;
use crate::terminal::Terminal;

const PATH: &str = "/v1/reviews";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the reviews that you may see, the newest first.
    #[command(after_help = crate::exit::HELP)]
    List {
        /// Those in this state.
        #[arg(long, value_name = "STATE", value_parser = ["owed", "overdue", "signed", "disputed", "waiting"])]
        state: Option<String>,

        /// Those that you may sign now.
        #[arg(long)]
        mine: bool,

        /// Where the list before ended, as it said.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show a review: what was granted, by whom, how it ended, and what is known of its use.
    #[command(after_help = crate::exit::HELP)]
    Show {
        /// The review's id, as `breakglass review list` begins its line with.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Say that it is in order: for those who could have approved it and took no part.
    #[command(after_help = crate::exit::HELP)]
    Sign {
        #[command(flatten)]
        what: What,

        /// What auditors should read beside it.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Say that something is not in order: for the same people.
    #[command(after_help = crate::exit::HELP)]
    Dispute {
        #[command(flatten)]
        what: What,

        /// What is not in order.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

/// What is signed or disputed.
#[derive(Debug, clap::Args)]
struct What {
    /// The review's id, as `breakglass review list` begins its line with.
    #[arg(value_name = "ID")]
    id: String,

    /// Do not ask; required where stdin is not a terminal.
    #[arg(long)]
    yes: bool,

    /// The review with this digest and no other: what `breakglass review show` had when it was read.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    /// A file with what `breakglass audit verify --json` said of the log: it is kept in short, as what you said.
    #[arg(long, value_name = "FILE")]
    log_verdict: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::List { state, mine, after } => {
            list((state.as_deref(), *mine, after.as_deref()), client, terminal)
        }
        Verb::Show { id } => {
            let seen = show(id, client)?;
            terminal.result(&in_full(&seen.body, now()), &seen.json)?;
            Ok(Exit::Done)
        }
        Verb::Sign { what, note } => {
            let log = what.log()?;
            let body = |digest| SignReview { digest, note: note.clone(), log };
            decide(what, ("sign", ReviewState::Signed), body, client, terminal)
        }
        Verb::Dispute { what, note } => {
            let log = what.log()?;
            let body = |digest| DisputeReview { digest, note: note.clone(), log };
            decide(what, ("dispute", ReviewState::Disputed), body, client, terminal)
        }
    }
}

impl What {
    fn log(&self) -> Result<Option<breakglass_api::reviews::LogVerdict>, Failure> {
        self.log_verdict.as_deref().map(log_verdict::read).transpose()
    }
}

fn list(
    (state, mine, after): (Option<&str>, bool, Option<&str>),
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(state.map(|state| format!("state={state}")));
    query.extend(mine.then(|| "mine=true".to_owned()));
    query.extend(after.map(|after| format!("after={}", query_value(after))));
    let mark = if query.is_empty() { "" } else { "?" };
    let listed: Whole<Reviews> = client.get(&format!("{PATH}{mark}{}", query.join("&")))?;
    let next = listed.body.next.as_deref().map(one_line);
    let now = now();
    let lines: Vec<String> = listed.body.reviews.iter().map(|one| line(one, now)).collect();
    if lines.is_empty() && next.is_none() {
        terminal.note("no reviews");
    }
    if !lines.is_empty() || terminal.json {
        terminal.result(&lines.join("\n"), &listed.json)?;
    }
    if let Some(next) = next {
        terminal.note(&format!("there may be more: the same with `--after {next}` lists them"));
    }
    Ok(Exit::Done)
}

fn show(id: &str, client: &Client) -> Result<Whole<ReviewInFull>, Failure> {
    let seen: Whole<ReviewInFull> = client.get(&format!("{PATH}/{}", segment(id)?))?;
    Mismatch::check("review.id", id, &seen.body.review.id)?;
    Mismatch::check("granted.id", &seen.body.review.request, &seen.body.granted.id)?;
    Ok(seen)
}

/// Shows the review, asks, and names the digest of what was shown.
fn decide<T: Serialize>(
    what: &What,
    (verb, state): (&str, ReviewState),
    body: impl FnOnce(String) -> T,
    client: &Client,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let id = &what.id;
    if !what.yes && !stdin().is_terminal() {
        return Err(Failure::Invalid(format!(
            "nothing was done: stdin is not a terminal, so the question cannot be asked; read `breakglass review show {id}`, then \
             run `breakglass review {verb} {id} --yes`"
        )));
    }
    let seen = show(id, client)?;
    terminal.note(&in_full(&seen.body, now()));
    if !what.yes && !confirm(verb, terminal) {
        return Err(Failure::Failed("nothing was done: you did not say yes".to_owned()));
    }
    let digest = what.digest.clone().unwrap_or_else(|| seen.body.digest.clone());
    let path = format!("{PATH}/{}/{verb}", segment(id)?);
    let decided: Whole<Review> = client.post(&path, &body(digest.clone()))?;
    Mismatch::check("id", id, &decided.body.id)?;
    Mismatch::check("state", state.word(), decided.body.state.word())?;
    let kept = decided.body.decision.as_ref().map(|decision| decision.digest.as_str());
    Mismatch::check("decision.digest", &digest, kept.unwrap_or_default())?;
    terminal.result(state.word(), &decided.json)?;
    Ok(Exit::Done)
}

fn confirm(verb: &str, terminal: Terminal) -> bool {
    terminal.ask(&format!("{verb}? [y/N] "));
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

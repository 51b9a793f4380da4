//! `breakglass scopes`: what the caller may ask for.

use super::scopes_import;
use crate::answer::{Scope, Scopes, Whole, one_line};
use crate::client::{Client, Failure};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List those too that you may not ask for.
    #[arg(long)]
    all: bool,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print what a filter's configuration opens, as a file for `definitions` of the service's configuration.
    Import(scopes_import::Args),
}

/// `client` is made only where the service is asked.
pub(crate) fn run(
    args: &Args,
    client: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    match &args.verb {
        Some(Verb::Import(_)) if args.all => {
            Err(Failure::Invalid("`--all` is for the list of scopes, not for `import`".to_owned()))
        }
        Some(Verb::Import(args)) => scopes_import::run(args, terminal),
        None => list(args, &client()?, terminal),
    }
}

fn list(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let answer: Whole<Scopes> = client.get("/v1/scopes")?;
    let scopes = &answer.body.scopes;
    let shown: Vec<&Scope> = scopes.iter().filter(|scope| args.all || scope.may_request).collect();
    let left_out = scopes.len().saturating_sub(shown.len());
    if shown.is_empty() {
        terminal.note("there is no scope that you may ask for");
    }
    if !shown.is_empty() || terminal.json {
        terminal.result(&lines(&shown).join("\n"), &answer.json)?;
    }
    if left_out > 0 {
        terminal.note(&format!(
            "{left_out} more that you may not ask for: `breakglass scopes --all` lists them too"
        ));
    }
    Ok(Exit::Done)
}

/// One line each, which begins with the name; in columns.
fn lines(scopes: &[&Scope]) -> Vec<String> {
    let width = |column: fn(&Scope) -> &str| {
        scopes.iter().map(|scope| column(scope).chars().count()).max().unwrap_or_default().min(40)
    };
    let (name, audience) = (width(|scope| &scope.name), width(|scope| &scope.audience));
    scopes
        .iter()
        .map(|scope| {
            let mut rights = Vec::new();
            if !scope.may_request {
                rights.push("you may not ask for it".to_owned());
            }
            if scope.may_approve {
                rights.push("you may approve it for others".to_owned());
            }
            if scope.may_request {
                rights.push(match scope.approvers.as_slice() {
                    [] => "no other person may approve it".to_owned(),
                    approvers => format!("approvers: {}", approvers.join(", ")),
                });
            }
            one_line(&format!(
                "{:<name$}  {:<audience$}  at most {}  {}  ({})",
                scope.name,
                scope.audience,
                scope.max_duration,
                scope.summary.as_deref().unwrap_or("-"),
                rights.join("; "),
            ))
        })
        .collect()
}

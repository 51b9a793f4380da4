//! `breakglass scopes`: what the caller may ask for.

use super::{opens, scopes_import, scopes_narrow};
use crate::answer::{Scope, Scopes, Whole, one_line};
use crate::client::{Client, Failure, query_value};
use crate::exit::Exit;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List those too that you may not ask for.
    #[arg(long)]
    all: bool,

    /// List those that cover such a request, by the service's definitions: a method and a path, as in 'POST /v1/orders'.
    #[arg(long = "for", value_name = "REQUEST")]
    for_request: Option<String>,

    /// The host of that request; without it, any.
    #[arg(long, value_name = "HOST", requires = "for_request")]
    host: Option<String>,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print what a filter's configuration opens, as a file for `definitions` of the service's configuration.
    Import(scopes_import::Args),
    /// Compare what a scope opens with what its grants were used for, and print a narrower scope to paste: for auditors.
    #[command(after_help = crate::exit::HELP)]
    Narrow(scopes_narrow::Args),
}

/// `client` is made only where the service is asked.
pub(crate) fn run(
    args: &Args,
    client: impl FnOnce() -> Result<Client, Failure>,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    match &args.verb {
        Some(_) if args.all => Err(Failure::Invalid(
            "`--all` is for the list of scopes, not for `import` and `narrow`".to_owned(),
        )),
        Some(Verb::Narrow(args)) => scopes_narrow::run(args, &client()?, terminal),
        Some(Verb::Import(args)) => scopes_import::run(args, terminal),
        None => list(args, &client()?, terminal),
    }
}

fn list(args: &Args, client: &Client, terminal: Terminal) -> Result<Exit, Failure> {
    let mut path = "/v1/scopes".to_owned();
    if let Some(request) = &args.for_request {
        path.push_str(&format!("?for={}", query_value(request)));
        if let Some(host) = &args.host {
            path.push_str(&format!("&host={}", query_value(host)));
        }
    }
    let answer: Whole<Scopes> = client.get(&path)?;
    // An older service does not read the question, and lists all.
    if args.for_request.is_some() && answer.body.for_request.is_none() {
        return Err(Failure::Failed(
            "the service does not know which scopes cover a request: this takes a newer service"
                .to_owned(),
        ));
    }
    let scopes = &answer.body.scopes;
    let shown: Vec<&Scope> = scopes.iter().filter(|scope| args.all || scope.may_request).collect();
    let left_out = scopes.len().saturating_sub(shown.len());
    if shown.is_empty() {
        terminal.note(match args.for_request {
            None => "there is no scope that you may ask for",
            Some(_) => {
                "of the scopes that you may ask for and that the service has a definition of, none covers such a request"
            }
        });
    }
    if !shown.is_empty() || terminal.json {
        terminal.result(&lines(&shown).join("\n"), &answer.json)?;
    }
    for scope in shown.iter().filter_map(|scope| scope.rules.as_ref()) {
        terminal.note(&opens::line(scope));
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

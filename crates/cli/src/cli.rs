//! The command line: its verbs, and from outcome to exit code.

use clap::{Parser, Subcommand};

use crate::client::{Client, Failure, Settings};
use crate::command::{
    approve, audit, cancel, config, database, deny, discuss, doctor, done, events, extend,
    held_ends, keygen, keys, login, logout, probe, proxies, request, reviews, revoke, rotations,
    scopes, serve, sessions, status, token, uses, watch, whoami,
};
use crate::exit::{self, Exit};
use crate::terminal::Terminal;

/// What a newcomer types first.
const EXAMPLES: &str = "\
Examples:
  breakglass login
  breakglass scopes
  TOKEN=$(breakglass request --scope orders:read --reason 'payments are stuck' --wait)
  breakglass status --state pending
  breakglass approve req_01KAN5S3M0W8Z4T2C9X7Y6B5D1
  breakglass done
  breakglass revoke --all --reason 'keys leaked' --wait";

/// Emergency, approved, short-lived access to APIs behind Envoy.
#[derive(Debug, Parser)]
#[command(name = "breakglass", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP), propagate_version = true)]
struct Cli {
    #[command(flatten)]
    settings: Settings,

    /// Print JSON, and nothing else, on stdout.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the scopes that you may ask for, or import what they open.
    #[command(after_help = exit::HELP)]
    Scopes(scopes::Args),
    /// Ask for access. Prints the request's id; with --wait, the token.
    #[command(after_help = exit::HELP)]
    Request(request::Args),
    /// Ask for more time of a grant that you hold: a request that is linked to it.
    #[command(after_help = exit::HELP)]
    Extend(extend::Args),
    /// Approve another person's request, as it is shown, or less of it.
    #[command(after_help = exit::HELP)]
    Approve(approve::Args),
    /// Deny a request, with a reason.
    #[command(after_help = exit::HELP)]
    Deny(deny::Args),
    /// Ask the requester of a pending request something, before you decide.
    #[command(after_help = exit::HELP)]
    Question(discuss::Args),
    /// Answer what an approver asked about your own pending request.
    #[command(after_help = exit::HELP)]
    Answer(discuss::Args),
    /// Take back your own pending request.
    #[command(after_help = exit::HELP)]
    Cancel(cancel::Args),
    /// Print the token of your approved request.
    #[command(after_help = exit::HELP)]
    Token(token::Args),
    /// Hand back your grant before it ends.
    #[command(after_help = exit::HELP)]
    Done(done::Args),
    /// End a grant at once, or all that match.
    #[command(after_help = exit::HELP)]
    Revoke(revoke::Args),
    /// Sign in with a browser, and keep the session for the other commands.
    #[command(after_help = exit::HELP)]
    Login(login::Args),
    /// End your session at the service, and go to the identity provider's page for signing out.
    #[command(after_help = exit::HELP)]
    Logout(logout::Args),
    /// Say who you are to the service: groups, session, how you signed in, and how you are told of what concerns you.
    #[command(after_help = exit::HELP)]
    Whoami(whoami::Args),
    /// List your sessions, or end one.
    #[command(after_help = exit::HELP)]
    Sessions(sessions::Args),
    /// List the ends of grants that are held, because many people lost a group at once, or confirm them: for administrators.
    #[command(after_help = exit::HELP)]
    HeldEnds(held_ends::Args),
    /// List what used grants touched and is to be rotated, say that it was, or have the hook called again.
    Rotations(rotations::Args),
    /// List the reviews of used grants, show one, and sign or dispute it.
    Review(reviews::Args),
    /// Show what a grant was used for, as the proxies counted it: scopes, methods, rules and outcomes.
    #[command(after_help = exit::HELP)]
    Uses(uses::Args),
    /// List the proxies that read the feed of revocations, and how far each has read.
    #[command(after_help = exit::HELP)]
    Proxies(proxies::Args),
    /// Ask entrances whether the filter is there, and the service whether that is true.
    #[command(after_help = probe::HELP)]
    Probe(probe::Args),
    /// Show one request, or list those you may see.
    #[command(after_help = exit::HELP)]
    Status(status::Args),
    /// Show what happens to the requests that you may see, as it happens.
    #[command(after_help = exit::HELP)]
    Watch(watch::Args),
    /// Check, report and follow the audit records in Envoy's access logs.
    Audit(audit::Args),
    /// List what the sinks were told of events, deliver one again, or show what a sink would be sent.
    Events(events::Args),
    /// Run the approval service.
    #[command(after_help = exit::HELP)]
    Serve(serve::Args),
    /// Check a configuration of the approval service, or say what a new one changes.
    #[command(after_help = exit::HELP)]
    Config(config::Args),
    /// Back up and mend the files of the approval service, on its machine.
    #[command(after_help = exit::HELP)]
    #[command(visible_alias = "db")]
    Database(database::Args),
    /// Say what is wrong with the approval service, on its machine, and what fixes it.
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::Args),
    /// Make API tokens and signing keys.
    #[command(after_help = exit::HELP)]
    Keygen(keygen::Args),
    /// List, rotate and retire the signing keys of the approval service, on its machine.
    #[command(after_help = exit::HELP)]
    Keys(keys::Args),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error.
            let _ = error.print();
            return if error.use_stderr() { Exit::Invalid } else { Exit::Done };
        }
    };
    let terminal = Terminal { json: cli.json };
    run(cli, terminal).unwrap_or_else(|failure| {
        tell(&failure, terminal);
        failure.exit()
    })
}

fn tell(failure: &Failure, terminal: Terminal) {
    if terminal.json {
        // If stdout is gone, the exit code still tells.
        let _ = terminal.result("", &failure.json());
    }
    let word = failure.reason().map(|word| format!(" ({word})")).unwrap_or_default();
    terminal.note(&format!("breakglass: {failure}{word}"));
}

fn run(cli: Cli, terminal: Terminal) -> Result<Exit, Failure> {
    let client = || Client::new(&cli.settings);
    match cli.verb {
        Verb::Scopes(args) => scopes::run(&args, client, terminal),
        Verb::Request(args) => request::run(args, &client()?, terminal),
        Verb::Extend(args) => extend::run(args, &client()?, terminal),
        Verb::Approve(args) => approve::run(&args, &client()?, terminal),
        Verb::Deny(args) => deny::run(&args, &client()?, terminal),
        Verb::Question(args) => discuss::question(args, &client()?, terminal),
        Verb::Answer(args) => discuss::answer(args, &client()?, terminal),
        Verb::Cancel(args) => cancel::run(&args, &client()?, terminal),
        Verb::Token(args) => token::run(&args, &client()?, terminal),
        Verb::Done(args) => done::run(&args, &client()?, terminal),
        Verb::Probe(args) => {
            let run = |client: Client| probe::run(&args, client.ca_file(), &client, terminal);
            let done = client().and_then(run);
            done.or_else(|failure| match failure.exit() {
                // That code says that an entrance is not guarded.
                Exit::Deny => {
                    tell(&failure, terminal);
                    Ok(Exit::Fail)
                }
                _ => Err(failure),
            })
        }
        Verb::Login(args) => login::run(&args, &cli.settings, terminal),
        Verb::Logout(args) => logout::run(&args, &cli.settings, terminal),
        Verb::Whoami(args) => whoami::run(&args, &client()?, terminal),
        Verb::Sessions(args) => sessions::run(&args, &client()?, terminal),
        Verb::HeldEnds(args) => held_ends::run(&args, &client()?, terminal),
        Verb::Review(args) => reviews::run(&args, &client()?, terminal),
        Verb::Rotations(args) => rotations::run(&args, &client()?, terminal),
        Verb::Uses(args) => uses::run(&args, &client()?, terminal),
        Verb::Proxies(args) => proxies::run(&args, &client()?, terminal),
        Verb::Revoke(args) => revoke::run(&args, &client()?, terminal),
        Verb::Status(args) => status::run(&args, &client()?, terminal),
        Verb::Watch(args) => watch::run(&args, &client()?, terminal),
        Verb::Audit(args) => audit::run(args, &cli.settings, terminal),
        Verb::Events(args) => events::run(&args, &cli.settings, terminal),
        Verb::Serve(args) => serve::run(&args, terminal),
        Verb::Config(args) => config::run(&args, terminal),
        Verb::Database(args) => database::run(&args, terminal),
        Verb::Doctor(args) => doctor::run(&args, &cli.settings, terminal),
        Verb::Keygen(args) => keygen::run(&args, terminal),
        Verb::Keys(args) => keys::run(&args, &cli.settings, terminal),
    }
}

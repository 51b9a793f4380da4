//! `breakglass keys`: the signing keys of the approval service, on its machine. A running service sees each change within
//! a second.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::when;
use crate::answer::{Proxies, Whole};
use crate::client::{Client, Failure, Settings};
use crate::exit::Exit;
use crate::terminal::Terminal;
use breakglass_server::clock::{Clock, Moment, SystemClock, written};
use breakglass_server::config::{KeyRingSettings, audience_of_folder};
use breakglass_server::duration;
use breakglass_server::issuer::{KeyDirectory, KeyName, KeyState};
use breakglass_server::key_schedule::PUBLISH_S;
use breakglass_server::memory_guard::forbid_dumps;
use breakglass_server::random::Randomness;
use breakglass_server::reload::ConfigFile;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,

    /// The service's `key_directory`; without it that of `--config`, or `/var/lib/breakglass/keys`.
    #[arg(long, value_name = "DIR", global = true)]
    key_dir: Option<PathBuf>,

    /// The service's configuration, for its `key_directory` and `signing_keys`.
    #[arg(long, value_name = "PATH", global = true)]
    config: Option<PathBuf>,

    /// The keys of this audience, which has keys of its own (`signing_keys.audiences`). Without it `list` lists those of all
    /// audiences, and the others are about the keys that sign for all that have none of their own.
    #[arg(long, value_name = "NAME", global = true)]
    audience: Option<String>,

    /// The service's `signing_keys.wrapped_by`: the file with the key that wraps a new one. Without it that of `--config`.
    #[arg(long, value_name = "FILE", global = true)]
    wrapped_by: Option<PathBuf>,
}

/// Where the keys are if neither `--key-dir` nor `--config` says it.
const KEY_DIRECTORY: &str = "/var/lib/breakglass/keys";

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// List the keys, in the order in which they sign, and what each is for now.
    List,
    /// Make a key that is published at once, and signs after that time, once every proxy has it.
    Rotate {
        /// For how long it is published before it signs, such as `1h`: longer than the longest `jwks.remote.refresh` of
        /// the proxies, and than it takes to add it to every `jwks.inline`. Without it an hour, or with `--url` the
        /// longest refresh that the proxies of the running service report, if that is longer.
        #[arg(long, value_name = "DURATION")]
        publish_for: Option<String>,
        /// Sign with it at once, or with the key that waits, whatever the proxies have: one that does not have it fetches
        /// it at the first token.
        #[arg(long)]
        force: bool,
    },
    /// Remove a key's file, once no grant that it signed can hold any more.
    Retire {
        /// The key's `kid`, as the list has it.
        kid: String,
        /// Also while grants that it signed may hold, or while it signs: for a key that was stolen. Proxies refuse what
        /// it signed from their next refresh on.
        #[arg(long)]
        force: bool,
    },
}

pub(crate) fn run(args: &Args, settings: &Settings, terminal: Terminal) -> Result<Exit, Failure> {
    forbid_dumps();
    let now = SystemClock.now().map_err(|error| failed(&error))?;
    let rings = rings(args)?;
    let ring = match &args.audience {
        Some(audience) => of_audience(&rings, audience)?,
        None => &rings.0,
    };
    match &args.task {
        Task::List => match &args.audience {
            Some(_) => list(&[ring], now, terminal),
            None => list(&std::iter::once(ring).chain(&rings.1).collect::<Vec<_>>(), now, terminal),
        },
        Task::Rotate { publish_for, force } => {
            let seconds = match publish_for {
                Some(text) => duration::parse(text)
                    .map_err(|error| Failure::Invalid(format!("--publish-for: {error}")))?,
                None if *force => 0,
                None => PUBLISH_S.max(longest_refresh(settings, terminal)),
            };
            rotate(&rings.0, ring, now, seconds, *force, terminal)
        }
        Task::Retire { kid, force } => retire(ring, now, kid, *force, terminal),
    }
}

/// The default ring, and those of audiences: by the configuration, or by the folders that are there.
fn rings(args: &Args) -> Result<(KeyRingSettings, Vec<KeyRingSettings>), Failure> {
    let config = args.config.as_deref().map(ConfigFile::read_alone).transpose();
    let config = config
        .map_err(|error| Failure::Invalid(format!("the configuration is not valid:\n{error}")))?;
    let (mut default, mut audiences) = match config {
        Some(mut config) => {
            config.key_directory = args.key_dir.clone().unwrap_or(config.key_directory);
            config.key_rings()
        }
        None => {
            let folder = args.key_dir.as_deref().unwrap_or(Path::new(KEY_DIRECTORY));
            let default = KeyRingSettings::in_folder(folder);
            let found = found_audiences(folder);
            let audiences = found.iter().map(|audience| default.of_audience(audience)).collect();
            (default, audiences)
        }
    };
    if let Some(file) = &args.wrapped_by {
        for ring in std::iter::once(&mut default).chain(&mut audiences) {
            ring.wrapped_by = Some(file.clone());
        }
    }
    Ok((default, audiences))
}

/// The audiences that have a folder below this one.
fn found_audiences(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| audience_of_folder(&name)).collect()
}

/// The ring of an audience.
fn of_audience<'a>(
    (_, rings): &'a (KeyRingSettings, Vec<KeyRingSettings>),
    audience: &str,
) -> Result<&'a KeyRingSettings, Failure> {
    let found = rings.iter().find(|ring| ring.audience.as_deref() == Some(audience));
    found.ok_or_else(|| {
        let known: Vec<&str> = rings.iter().filter_map(|ring| ring.audience.as_deref()).collect();
        let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
        Failure::Invalid(format!(
            "--audience: expected an audience with keys of its own, got `{audience}`; known here: {known}. `--config` \
             names those of the service (`signing_keys.audiences`)"
        ))
    })
}

/// The longest time between two fetches of the keys that the proxies of the running service report, in seconds; nothing
/// where it is not to be asked, or does not answer.
fn longest_refresh(settings: &Settings, terminal: Terminal) -> i64 {
    if settings.url.is_none() {
        return 0;
    }
    let answer: Result<Whole<Proxies>, Failure> =
        Client::new(settings).and_then(|client| client.get("/v1/proxies"));
    match answer {
        Ok(answer) => {
            let live = answer.body.proxies.iter().filter(|proxy| proxy.alive != Some(false));
            live.filter_map(|proxy| proxy.keys_refresh_s).max().unwrap_or(0)
        }
        Err(failure) => {
            terminal
                .note(&format!("how often proxies fetch the keys is not known here: {failure}"));
            0
        }
    }
}

fn list(rings: &[&KeyRingSettings], now: Moment, terminal: Terminal) -> Result<Exit, Failure> {
    let (mut lines, mut views) = (Vec::new(), Vec::new());
    for ring in rings {
        let directory = KeyDirectory::from(*ring);
        let audience = ring.audience.as_deref();
        let keys = match audience {
            // The service makes the folder when it reads the configuration.
            Some(_) if directory.is_empty().map_err(|error| failed(&error))? => Vec::new(),
            _ => directory.list(now).map_err(|error| failed(&error))?,
        };
        if let Some(audience) = audience {
            let state = match (keys.is_empty(), ring.signs) {
                (true, _) => " no key yet",
                (false, true) => "",
                (false, false) => " no key signs (`signs = false`)",
            };
            lines.push(format!("{audience}:{state}"));
        }
        for (name, state) in keys {
            let (word, at) = member(state);
            lines.push(format!("{}  {}", name.kid, words(state, now)));
            views.push(json!({
                "audience": audience, "kid": name.kid, "made_at": text(name.made_at), "state": word,
                "until": at.map(text),
            }));
        }
    }
    terminal.result(&lines.join("\n"), &json!({ "keys": views }))?;
    Ok(Exit::Done)
}

fn rotate(
    default: &KeyRingSettings,
    ring: &KeyRingSettings,
    now: Moment,
    seconds: i64,
    force: bool,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let keys = KeyDirectory::from(ring);
    let known = match keys.is_empty().map_err(|error| failed(&error))? {
        true => Vec::new(),
        false => keys.list(now).map_err(|error| failed(&error))?,
    };
    let waits = known.into_iter().find(|(_, state)| matches!(state, KeyState::Waits(_)));
    let randomness = Randomness::from_system().map_err(|error| failed(&error))?;
    let (kid, signs_from) = match (waits, force) {
        (Some((name, state)), false) => {
            return Err(Failure::Failed(format!(
                "a key {} already: {}; with --force it signs now",
                words(state, now),
                name.kid
            )));
        }
        (Some((name, _)), true) => {
            let turn = keys.next_turn(now).map_err(|error| failed(&error))?;
            // As the service does it: after the last turn of the key that signs until then.
            let before = KeyDirectory::from(default).next_turn(now);
            let turn = before.map_err(|error| failed(&error))?.max(turn);
            let name = keys.switch(&name, turn).map_err(|error| failed(&error))?;
            (name.kid, now.seconds())
        }
        (None, true) => {
            (keys.add(now, &randomness).map_err(|error| failed(&error))?, now.seconds())
        }
        (None, false) => {
            let from = now.seconds().saturating_add(seconds);
            let name = keys.add_from(now, from, &randomness).map_err(|error| failed(&error))?;
            (name.kid, from)
        }
    };
    terminal.note(&match force {
        true => {
            "it signs now; `keys list` says until when the keys before it are published".to_owned()
        }
        false => format!(
            "it is published now, and signs from {} on, once every proxy has it: until then add it to every \
             `jwks.inline`",
            text(signs_from)
        ),
    });
    terminal.result(&kid, &json!({ "kid": kid, "signs_from": text(signs_from) }))?;
    Ok(Exit::Done)
}

fn retire(
    ring: &KeyRingSettings,
    now: Moment,
    kid: &str,
    force: bool,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    let (keys, folder) = (KeyDirectory::from(ring), &ring.key_directory);
    let known = keys.list(now).map_err(|error| failed(&error))?;
    let Some((name, state)) = known.iter().find(|(name, _)| name.kid == kid) else {
        return Err(Failure::Invalid(format!(
            "{}: there is no key {kid}; `breakglass keys list` says which there are",
            folder.display()
        )));
    };
    let is_needed = matches!(state, KeyState::Signs | KeyState::Published(_));
    if known.len() == 1 || (is_needed && !force) {
        return Err(Failure::Failed(format!(
            "{kid} {}: {}",
            words(*state, now),
            advice(name, *state, known.len())
        )));
    }
    keys.remove(name).map_err(|error| failed(&error))?;
    if is_needed {
        terminal.note(
            "proxies refuse what it signed from their next refresh on (`jwks.remote.refresh`); take it out of every \
             `jwks.inline`",
        );
    }
    terminal.result(kid, &json!({ "kid": kid }))?;
    Ok(Exit::Done)
}

/// What to do in place of retiring a key that is needed.
fn advice(name: &KeyName, state: KeyState, count: usize) -> String {
    match state {
        _ if count == 1 => {
            "it is the only one; `breakglass keys rotate --force` makes another one first"
                .to_owned()
        }
        KeyState::Published(until) => format!(
            "grants that it signed may hold until {}; retire it then, or with --force if it was stolen",
            text(until)
        ),
        _ => format!(
            "`breakglass keys rotate` makes its successor; if {} was stolen, make one with --force and retire this with \
             --force",
            name.kid
        ),
    }
}

/// What a key is for, for people.
fn words(state: KeyState, now: Moment) -> String {
    let when = |at: i64| {
        let relative = when::relative(now, Moment::from_seconds(at));
        format!("{} ({relative})", text(at))
    };
    match state {
        KeyState::Waits(from) if now.seconds() < from => {
            format!("waits, and signs from {} on", when(from))
        }
        KeyState::Waits(from) => format!(
            "waits since {} for proxies that do not have it: `breakglass proxies` names them, `breakglass keys rotate \
             --force` ends the wait",
            when(from)
        ),
        KeyState::Signs => "signs".to_owned(),
        KeyState::Published(until) => format!("is published until {}", when(until)),
        KeyState::Over => "is over: no grant that it signed holds any more".to_owned(),
    }
}

/// The same for programs.
fn member(state: KeyState) -> (&'static str, Option<i64>) {
    match state {
        KeyState::Waits(from) => ("waits", Some(from)),
        KeyState::Signs => ("signs", None),
        KeyState::Published(until) => ("published", Some(until)),
        KeyState::Over => ("over", None),
    }
}

fn text(seconds: i64) -> String {
    written(Moment::from_seconds(seconds)).text().to_owned()
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

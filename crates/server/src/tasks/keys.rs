//! The signing keys while the service runs: read again when their files change, and switched when their wait is over.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use breakglass_api::jwks::{JWKS_PATH, jwks_path};
use tokio::time::Instant;

use crate::app::App;
use crate::doctor::quoted;
use crate::issuer::{KeyError, KeyName, Ring};
use crate::key_schedule;
use crate::key_switch::{self, HeldUp};

/// How often the key directory is looked at: a new key is published within this time.
const WATCH: Duration = Duration::from_secs(1);

/// How often the schedule of the keys is looked at.
const SCHEDULE: Duration = Duration::from_secs(60);

/// How often the log says the same again.
const SAY_AGAIN: Duration = Duration::from_secs(10 * 60);

/// The most proxies that one line of the log names.
const NAMED: usize = 5;

/// Keeps the keys for as long as the service runs. Files that cannot be used change nothing: the keys that were read
/// before stay in use, and the log says so.
pub async fn keep_keys(app: App) {
    let mut kept: HashMap<Option<String>, Kept> = HashMap::new();
    for ring in app.issuer().rings().all() {
        kept.insert(ring.audience().map(str::to_owned), Kept::new(ring));
    }
    loop {
        tokio::time::sleep(WATCH).await;
        let rings = app.issuer().rings();
        kept.retain(|audience, _| {
            audience.as_deref().is_none_or(|one| rings.of_audience(one).is_some())
        });
        for ring in rings.all() {
            let audience = ring.audience().map(str::to_owned);
            // Of one that came with a new configuration, files may have changed since it was read: it is read again.
            kept.entry(audience).or_default().step(&app, ring);
        }
    }
}

/// What is known of a ring from one look at it to the next.
#[derive(Debug, Default)]
struct Kept {
    names: Option<Vec<KeyName>>,
    switch: Said,
    schedule: Said,
    scheduled: Option<Instant>,
}

impl Kept {
    fn new(ring: &Ring) -> Kept {
        Kept { names: ring.directory().names().ok(), ..Kept::default() }
    }

    fn step(&mut self, app: &App, ring: &Ring) {
        let (now, of) = (Instant::now(), of(ring));
        if self.scheduled.is_none_or(|at| now.saturating_duration_since(at) >= SCHEDULE) {
            self.scheduled = Some(now);
            self.schedule.say(key_schedule::step(app, ring).err().map(|cause| {
                format!("rotate_every: the signing keys{of} are not replaced: {cause}")
            }));
        }
        let names = ring.directory().names().ok();
        if names != self.names {
            let audience = ring.audience();
            match ring.reload() {
                Ok(()) => tracing::info!(audience, "signing keys read again"),
                Err(cause) => tracing::error!(audience, %cause, "signing keys not read again"),
            }
            self.names = names;
        }
        self.switch.say(words(ring, key_switch::step(app, ring)));
    }
}

/// Which keys, for a sentence: nothing for those of the default ring.
fn of(ring: &Ring) -> String {
    ring.audience().map(|audience| format!(" of `{audience}`")).unwrap_or_default()
}

/// What the log said last of something that stays wrong, and when.
#[derive(Debug, Default)]
struct Said(Option<(String, Instant)>);

impl Said {
    /// Says what is wrong, if anything is, and it was not said just now.
    fn say(&mut self, wrong: Option<String>) {
        let Some(text) = wrong else {
            self.0 = None;
            return;
        };
        let now = Instant::now();
        let is_new = self.0.as_ref().is_none_or(|(last, at)| {
            *last != text || now.saturating_duration_since(*at) >= SAY_AGAIN
        });
        if is_new {
            tracing::warn!("{text}");
            self.0 = Some((text, now));
        }
    }
}

/// What there is to say of a switch.
fn words(ring: &Ring, outcome: Result<Option<HeldUp>, KeyError>) -> Option<String> {
    let of = of(ring);
    let held = match outcome {
        Ok(held) => held.filter(|held| !held.is_starting)?,
        Err(cause) => {
            return Some(format!(
                "the switch to a new signing key{of} is kept in memory alone, and is waited for anew after a restart: {cause}"
            ));
        }
    };
    let named = held.lacking.iter().take(NAMED).map(|(proxy, node)| format!("{node} ({proxy})"));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match held.lacking.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (path, flag) = match ring.audience() {
        Some(audience) => {
            (jwks_path(audience), format!(" --audience {}", quoted(Path::new(audience))))
        }
        None => (JWKS_PATH.to_owned(), String::new()),
    };
    Some(format!(
        "the signing key {}{of} does not sign yet, although its time has come: {named}{more} do not have it; see why they \
         do not fetch `{path}`, or end the wait with `breakglass keys rotate{flag} --force`",
        held.key.kid
    ))
}

//! The signing keys while the service runs: read again when their files change, and switched when their wait is over.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::App;
use crate::issuer::KeyError;
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
    let issuer = app.issuer();
    let mut known = issuer.directory().names().ok();
    let (mut switch, mut schedule) = (Said::default(), Said::default());
    let mut scheduled: Option<Instant> = None;
    loop {
        tokio::time::sleep(WATCH).await;
        let now = Instant::now();
        if scheduled.is_none_or(|at| now.saturating_duration_since(at) >= SCHEDULE) {
            scheduled = Some(now);
            schedule.say(key_schedule::step(&app).err().map(|cause| {
                format!("signing_keys.rotate_every: the signing keys are not replaced: {cause}")
            }));
        }
        let names = issuer.directory().names().ok();
        if names != known {
            match issuer.reload() {
                Ok(()) => tracing::info!("signing keys read again"),
                Err(cause) => tracing::error!(%cause, "signing keys not read again"),
            }
            known = names;
        }
        switch.say(words(key_switch::step(&app)));
    }
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
fn words(outcome: Result<Option<HeldUp>, KeyError>) -> Option<String> {
    let held = match outcome {
        Ok(held) => held.filter(|held| !held.is_starting)?,
        Err(cause) => {
            return Some(format!(
                "the switch to a new signing key is kept in memory alone, and is waited for anew after a restart: {cause}"
            ));
        }
    };
    let named = held.lacking.iter().take(NAMED).map(|(proxy, node)| format!("{node} ({proxy})"));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match held.lacking.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "the signing key {} does not sign yet, although its time has come: {named}{more} do not have it; see why they do \
         not fetch `/.well-known/jwks.json`, or end the wait with `breakglass keys rotate --force`",
        held.key.kid
    ))
}

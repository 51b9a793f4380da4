//! How a person authenticated, where that was asked for.
//!
//! Providers answer a level that was reached long ago, ignore one that they do not know, and after a refresh say that the
//! person authenticated just now. So a level counts only if it was asked for together with a `max_age`, in the very code
//! exchange whose ID token says that it was reached, recently, and by a method that counts.

use std::time::Duration;

use breakglass_audit::text::misleads;
use breakglass_types::instant::{Instant, format_duration};

use crate::entry::Level;
use crate::limits::{MAX_ACR_BYTES, MAX_AMR_BYTES, MAX_AMR_VALUES};
use crate::shown::shown;
use crate::verify::{IdToken, Verified};

/// What two clocks that count whole seconds, and the call between them, can differ by.
const ROUNDING: Duration = Duration::from_secs(2);

/// A level that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedLevel {
    /// Its name in the entry.
    pub name: String,
    /// How long ago the person may have authenticated when it was asked for; sent in whole seconds.
    pub max_age: Duration,
    /// When it was asked for.
    pub asked_at: Instant,
}

/// How a person authenticated: a level that was asked for, and reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    level: String,
    acr: Option<String>,
    amr: Vec<String>,
    auth_time: Instant,
}

/// Why a level that was asked for does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the identity provider did not confirm the level `{level}`: {why}")]
pub struct LevelNotReached {
    level: String,
    why: String,
}

impl Factor {
    /// Judges the answer to a request for a level. `now` is when it came.
    ///
    /// # Errors
    /// [`LevelNotReached`] says what was answered, and what counts.
    pub fn judge(
        asked: &AskedLevel,
        level: &Level,
        token: &Verified<IdToken>,
        now: Instant,
    ) -> Result<Factor, LevelNotReached> {
        let error = |why| LevelNotReached { level: asked.name.clone(), why };
        check_method(level, token).map_err(error)?;
        let auth_time = check_age(asked, token, now).map_err(error)?;
        Ok(Factor {
            level: asked.name.clone(),
            acr: token
                .acr()
                .filter(|acr| acr.len() <= MAX_ACR_BYTES && is_word(acr))
                .map(str::to_owned),
            amr: kept(token.amr()),
            // The provider's clock may be ahead; an authentication cannot be later than now.
            auth_time: auth_time.min(now),
        })
    }

    /// The level, by its name in the entry.
    #[must_use]
    pub fn level(&self) -> &str {
        &self.level
    }

    /// The provider's word for what was reached; nothing where it is none that a token can carry ([`MAX_ACR_BYTES`]).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// The provider's words for how (RFC 8176), as far as a token can carry them ([`MAX_AMR_VALUES`], [`MAX_AMR_BYTES`]).
    #[must_use]
    pub fn amr(&self) -> &[String] {
        &self.amr
    }

    /// When the person authenticated.
    #[must_use]
    pub fn auth_time(&self) -> Instant {
        self.auth_time
    }
}

/// What is left out of a token can only close: a filter asks for values that are there.
fn kept(amr: &[String]) -> Vec<String> {
    let mut bytes = 0_usize;
    let mut fits = |word: &&String| {
        bytes = bytes.saturating_add(word.len());
        bytes <= MAX_AMR_BYTES
    };
    let words = amr.iter().filter(|word| word.len() <= MAX_AMR_BYTES && is_word(word));
    words.take(MAX_AMR_VALUES).take_while(|word| fits(word)).cloned().collect()
}

/// Whether a break-glass token can carry it.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(misleads)
}

fn check_method(level: &Level, token: &IdToken) -> Result<(), String> {
    let acr: Vec<String> = token.acr().map(str::to_owned).into_iter().collect();
    let counts = &level.counts;
    for (claim, answered, counted) in [
        ("acr", acr.as_slice(), &counts.acr),
        ("acrs", token.acrs(), &counts.acrs),
        ("amr", token.amr(), &counts.amr),
    ] {
        let is_met = counted.is_empty() || answered.iter().any(|one| counted.contains(one));
        if !is_met {
            let answered = match answered {
                [] => "nothing".to_owned(),
                answered => format!("`{}`", shown(&answered.join(" "))),
            };
            let counted = counted.join("` or `");
            return Err(format!("`{claim}`: expected `{counted}`, got {answered}"));
        }
    }
    Ok(())
}

/// The authentication's age by the provider's own clock, from `auth_time` to `iat`, may be `max_age`, and the time that passed
/// since the question by ours: so it does not matter how far the two clocks are apart.
fn check_age(asked: &AskedLevel, token: &IdToken, now: Instant) -> Result<Instant, String> {
    let auth_time = token.auth_time().ok_or_else(|| {
        "`auth_time`: expected when the person authenticated, got nothing; have the provider send it (at Entra it is an \
         optional claim)"
            .to_owned()
    })?;
    let age = token.issued_at().since(auth_time);
    let since_asked = now.since(asked.asked_at);
    let most = asked.max_age.saturating_add(since_asked).saturating_add(ROUNDING);
    if age > most {
        return Err(format!(
            "`auth_time`: expected at most {} before it was asked for, got one {} before the answer: the provider did \
             not ask the person again",
            format_duration(asked.max_age),
            format_duration(age)
        ));
    }
    Ok(auth_time)
}

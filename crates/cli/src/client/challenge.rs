//! The service asks for a stronger or a newer sign-in (RFC 9470).

use breakglass_server::duration;
use serde_json::Value;

use super::failure::Failure;

/// The reason of such a refusal.
const REASON: &str = "insufficient_user_authentication";

/// The longest name of a level, in bytes.
const MAX_LEVEL: usize = 64;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The level of sign-in: a word that is harmless in a shell.
    pub(super) level: String,
    /// How many seconds ago the person may have authenticated.
    pub(super) max_age_s: Option<i64>,
}

impl Challenge {
    /// What this refusal asks for; nothing where it asks for no sign-in.
    pub(super) fn of(failure: &Failure) -> Option<Challenge> {
        let Failure::Refused { status: 401, problem } = failure else { return None };
        if problem.get("reason").and_then(Value::as_str) != Some(REASON) {
            return None;
        }
        // Levels are in order of preference (section 3): the first is the one that the service would choose.
        let levels = problem.get("acr_values").and_then(Value::as_str)?;
        let level = levels.split(' ').next().filter(|level| is_level(level))?;
        let max_age_s = match problem.get("max_age") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.parse().ok()?),
            Some(other) => Some(other.as_i64()?),
        };
        let is_age = max_age_s.is_none_or(|seconds| seconds >= 0);
        is_age.then(|| Challenge { level: level.to_owned(), max_age_s })
    }

    /// For `breakglass login`, each after a blank.
    pub(super) fn flags(&self) -> String {
        let max_age = self.max_age_s.map(|seconds| match seconds {
            0 => " --max-age 1s".to_owned(),
            seconds => format!(" --max-age {}", duration::format(seconds).replace(' ', "")),
        });
        format!(" --level {}{}", self.level, max_age.unwrap_or_default())
    }
}

fn is_level(text: &str) -> bool {
    let is_in_level = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty()
        && text.len() <= MAX_LEVEL
        && text.bytes().all(is_in_level)
        && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_challenge_names_a_level_and_perhaps_an_age() {
        let read = |status, level: Value, age: Value| {
            let problem =
                json!({ "reason": REASON, "detail": "d", "acr_values": level, "max_age": age });
            Challenge::of(&Failure::Refused { status, problem })
        };
        let flags = |age| read(401, json!("mfa"), age).map(|challenge| challenge.flags());
        assert_eq!(flags(json!(null)).unwrap(), " --level mfa");
        assert_eq!(flags(json!(300)).unwrap(), " --level mfa --max-age 5m");
        assert_eq!(flags(json!("3690")).unwrap(), " --level mfa --max-age 1h1m30s");
        assert_eq!(flags(json!(0)).unwrap(), " --level mfa --max-age 1s");
        assert_eq!(read(401, json!("a b"), json!(null)).unwrap().level, "a");
        for (status, level, age) in [
            (403, json!("mfa"), json!(1)),
            (401, json!("$(x)"), json!(1)),
            (401, json!("-x"), json!(1)),
            (401, json!(""), json!(1)),
            (401, json!(1), json!(1)),
            (401, json!("mfa"), json!(-1)),
            (401, json!("mfa"), json!("1s")),
            (401, json!("mfa"), json!([])),
        ] {
            assert_eq!(read(status, level.clone(), age.clone()), None, "{level} {age}");
        }
        let problem = json!({ "reason": "session_ended", "detail": "d", "acr_values": "mfa" });
        assert_eq!(Challenge::of(&Failure::Refused { status: 401, problem }), None);
    }
}

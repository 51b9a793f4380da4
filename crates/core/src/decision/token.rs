//! Rule 2: the token.

use std::rc::Rc;

use crate::config::Config;
use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::token::{KeyRing, Unverifiable, UnverifiedToken, VerifiedToken, hint, verify};
use crate::trace::{Rule, Said, Steps};

use super::{Answers, Denial, Known, Question, Stop};

/// Rule 2: from the cache, or by verification; its time is judged either way.
pub(super) fn verified(
    config: &Config,
    known: &mut Known<'_>,
    bytes: &[u8],
    answers: &Answers,
    now: Instant,
    steps: &mut Steps,
) -> Result<Rc<VerifiedToken>, Stop> {
    if let Some(token) = known.memory.token(bytes, now, config.clock_skew) {
        steps.token(Said::PassedBefore);
        in_time(&token, config, now, steps)?;
        return Ok(token);
    }
    let unverified = UnverifiedToken::parse(bytes, config.max_token_bytes).map_err(|reason| {
        steps.token_refused(reason);
        let hint = hint(bytes).filter(|_| reason == DenyReason::TokenMalformed);
        Denial { remedy: hint.map(str::to_owned), ..Denial::of(reason) }
    })?;
    match verify(&unverified, config, known.keys) {
        Ok(token) => {
            steps.token(Said::Passed);
            let token = Rc::new(token);
            in_time(&token, config, now, steps)?;
            known.memory.keep_token(bytes, &token);
            Ok(token)
        }
        Err(Unverifiable::Refuse(reason)) => Err(refused(reason, None, steps).into()),
        Err(Unverifiable::RefuseSigned(reason, why)) => {
            Err(refused(reason, Some(why), steps).into())
        }
        Err(Unverifiable::FetchKeys(issuer)) => {
            let reason = match answers.keys {
                // Asked, and the source knows no such key.
                Some(true) => DenyReason::KeyUnknown,
                Some(false) => DenyReason::KeysUnavailable,
                None => {
                    steps.token_until(Rule::Key, Said::Asked);
                    return Err(Stop::Ask(Question::Keys(issuer)));
                }
            };
            Err(refused(reason, None, steps).into())
        }
    }
}

/// Rule 2 for a token that was verified under another configuration; its time too.
pub(super) fn verified_again(
    token: &Rc<VerifiedToken>,
    config: &Config,
    keys: &KeyRing,
    now: Instant,
    steps: &mut Steps,
) -> Result<(), Denial> {
    let (reason, why) = match token.verify_again(config, keys) {
        // Its source may have the key.
        Ok(()) | Err(Unverifiable::FetchKeys(_)) => {
            steps.token(Said::Passed);
            return in_time(token, config, now, steps);
        }
        Err(Unverifiable::Refuse(reason)) => (reason, None),
        Err(Unverifiable::RefuseSigned(reason, why)) => (reason, Some(why)),
    };
    Err(Denial { token: Some(Rc::clone(token)), ..refused(reason, why, steps) })
}

fn refused(reason: DenyReason, remedy: Option<String>, steps: &mut Steps) -> Denial {
    steps.token_refused(reason);
    Denial { remedy, ..Denial::of(reason) }
}

fn in_time(
    token: &Rc<VerifiedToken>,
    config: &Config,
    now: Instant,
    steps: &mut Steps,
) -> Result<(), Denial> {
    token.check_time(now, config.clock_skew).map_err(|reason| {
        steps.note(Rule::Time, Said::Refused(reason));
        let remedy = Some(clocks(reason, token, now));
        Denial { remedy, ..Denial::under(reason, token) }
    })?;
    steps.passed(Rule::Time);
    Ok(())
}

/// Why a token's time has not come, or has passed, by whose clock: either may be wrong.
fn clocks(reason: DenyReason, token: &VerifiedToken, now: Instant) -> String {
    let claims = token.claims();
    let (now, exp) = (now.rfc3339(), Instant::from_seconds(claims.exp).rfc3339());
    match reason {
        DenyReason::TokenNotYetValid => {
            let start = Instant::from_seconds(claims.nbf.unwrap_or(0).max(claims.iat)).rfc3339();
            format!(
                "the token counts from {start} on, and it is {now} by this proxy's clock: either that is wrong, or \
                 the issuer's"
            )
        }
        _ => format!(
            "the grant ended at {exp}, and it is {now} by this proxy's clock; ask for a new one with `breakglass request`"
        ),
    }
}

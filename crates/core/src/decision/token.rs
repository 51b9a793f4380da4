//! Rule 2: the token.

use std::rc::Rc;

use crate::instant::Instant;
use crate::reason::DenyReason;
use crate::token::{Unverifiable, UnverifiedToken, VerifiedToken, hint, verify};

use super::{Answers, Bench, Denial, Question, Stop};

/// Rule 2: from the cache, or by verification; its time is judged either way.
pub(super) fn verified(
    bench: &mut Bench<'_>,
    bytes: &[u8],
    answers: &Answers,
) -> Result<Rc<VerifiedToken>, Stop> {
    let (config, now) = (bench.config, bench.now);
    let in_time = |token: &Rc<VerifiedToken>| {
        token.check_time(now, config.clock_skew).map_err(|reason| {
            let remedy = Some(clocks(reason, token, now));
            Denial { remedy, ..Denial::under(reason, token) }
        })
    };
    if let Some(token) = bench.memory.token(bytes, now, config.clock_skew) {
        in_time(&token)?;
        return Ok(token);
    }
    let unverified =
        UnverifiedToken::parse(bytes, config.max_token_bytes).map_err(|reason| Denial {
            remedy: hint(bytes).filter(|_| reason == DenyReason::TokenMalformed).map(str::to_owned),
            ..Denial::of(reason)
        })?;
    match verify(&unverified, config, bench.keys) {
        Ok(token) => {
            let token = Rc::new(token);
            in_time(&token)?;
            bench.memory.keep_token(bytes, &token);
            Ok(token)
        }
        Err(Unverifiable::Refuse(reason)) => Err(Denial::of(reason).into()),
        Err(Unverifiable::RefuseSigned(reason, why)) => {
            Err(Denial { remedy: Some(why), ..Denial::of(reason) }.into())
        }
        Err(Unverifiable::FetchKeys(issuer)) => {
            let reason = match answers.keys {
                // Asked, and the source knows no such key.
                Some(true) => DenyReason::KeyUnknown,
                Some(false) => DenyReason::KeysUnavailable,
                None => return Err(Stop::Ask(Question::Keys(issuer))),
            };
            Err(Denial::of(reason).into())
        }
    }
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

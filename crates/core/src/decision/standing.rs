//! Rule 7: whether the grant still stands.

use std::rc::Rc;

use crate::audit::{RevocationSource, Standing};
use crate::config::{Config, OnUnavailable};
use crate::instant::Instant;
use crate::introspection::Verdict;
use crate::knowledge::Knowledge;
use crate::policy::Scope;
use crate::reason::{AllowReason, DenyReason};
use crate::token::VerifiedToken;

use super::{Answers, Denial, Known, Question, Stop};

/// Rule 7: what is known about the grant, and from where.
fn standing(
    config: &Config,
    known: &mut Known<'_>,
    token: &Rc<VerifiedToken>,
    answers: &Answers,
    now: Instant,
) -> Result<(Option<Verdict>, Standing), Stop> {
    let (issuer, jti) = (token.issuer(), token.claims().jti.as_str());
    let age = known.revocations.age(now);
    let from = |source| Standing { source, epoch: known.revocations.epoch(), epoch_age: age };
    if known.revocations.is_revoked(jti) {
        return Ok((Some(Verdict::Inactive), from(RevocationSource::Feed)));
    }
    if age.is_some_and(|age| age <= config.revocation.max_staleness) {
        return Ok((Some(Verdict::Active), from(RevocationSource::Feed)));
    }
    if let Some(answer) = answers.standing {
        let source = match answer {
            Some(_) => RevocationSource::Introspection,
            None => RevocationSource::Unavailable,
        };
        return Ok((answer, from(source)));
    }
    if config.revocation.introspection.is_none() {
        // At the start the feed answers at once: better a moment's wait than a refusal.
        if age.is_none() && !answers.feed && known.revocations.is_coming(config, now) {
            return Err(Stop::Ask(Question::Feed));
        }
        let source = match config.revocation.feed {
            Some(_) => RevocationSource::Unavailable,
            None => RevocationSource::NotConfigured,
        };
        return Ok((None, from(source)));
    }
    match known.memory.verdict(issuer, jti, now) {
        Some(verdict) => Ok((Some(verdict), from(RevocationSource::IntrospectionCache))),
        None => Err(Stop::Ask(Question::Standing { issuer, jti: jti.to_owned() })),
    }
}

/// Rule 7: why a grant that covers the request lets it through, or why it does not.
pub(super) fn stands(
    config: &Config,
    known: &mut Known<'_>,
    token: &Rc<VerifiedToken>,
    scope: &Scope,
    answers: &Answers,
    now: Instant,
) -> Result<(AllowReason, Standing), Stop> {
    let (verdict, standing) = standing(config, known, token, answers, now)?;
    let unavailable = scope.on_unavailable.unwrap_or(config.revocation.on_unavailable);
    let reason = match (verdict, unavailable) {
        (Some(Verdict::Active), _) => match standing.source {
            RevocationSource::Introspection | RevocationSource::IntrospectionCache
                if config.revocation.feed.is_some() =>
            {
                AllowReason::PermitIntrospected
            }
            _ => AllowReason::Permit,
        },
        (None, OnUnavailable::Allow) => {
            may_go_unverified(config, known.knowledge, token, standing, now)?;
            AllowReason::PermitUnverified
        }
        (Some(Verdict::Inactive), _) => {
            // Within the skew the service's clock may be past the end already.
            let ended = Instant::from_seconds(token.claims().exp) <= now;
            let is_known = known.revocations.is_revoked(&token.claims().jti);
            let reason =
                if ended && !is_known { DenyReason::TokenExpired } else { DenyReason::Revoked };
            let denial = Denial::under(reason, token);
            return Err(Denial { standing: Some(standing), ..denial }.into());
        }
        (None, OnUnavailable::Deny) => {
            let denial = Denial::under(DenyReason::RevocationUnknown, token);
            return Err(Denial { standing: Some(standing), ..denial }.into());
        }
    };
    Ok((reason, standing))
}

/// Whether `on_unavailable: allow` still lets a grant through that neither feed nor introspection confirms.
fn may_go_unverified(
    config: &Config,
    knowledge: &Knowledge,
    token: &Rc<VerifiedToken>,
    standing: Standing,
    now: Instant,
) -> Result<(), Denial> {
    // Without feed and introspection there is no knowledge to grow old.
    if standing.source == RevocationSource::NotConfigured {
        return Ok(());
    }
    let counts_for = config.revocation.unavailable_for;
    knowledge.lets_through(token, counts_for, now).map_err(|why| Denial {
        standing: Some(standing),
        remedy: Some(why.remedy(counts_for)),
        ..Denial::under(DenyReason::RevocationUnknown, token)
    })
}

//! Rule 7: whether the grant still stands.

use std::rc::Rc;

use crate::audit::{RevocationSource, Standing};
use crate::introspection::Verdict;
use crate::reason::DenyReason;
use crate::token::VerifiedToken;

use super::{Answers, Bench, Denial, Question, Stop};

/// Rule 7: what is known about the grant, and from where.
pub(super) fn standing(
    bench: &mut Bench<'_>,
    token: &Rc<VerifiedToken>,
    answers: &Answers,
) -> Result<(Option<Verdict>, Standing), Stop> {
    let (issuer, jti) = (token.issuer(), token.claims().jti.as_str());
    let age = bench.revocations.age(bench.now);
    let from = |source| Standing { source, epoch: bench.revocations.epoch(), epoch_age: age };
    if bench.revocations.is_revoked(jti) {
        return Ok((Some(Verdict::Inactive), from(RevocationSource::Feed)));
    }
    if age.is_some_and(|age| age <= bench.config.revocation.max_staleness) {
        return Ok((Some(Verdict::Active), from(RevocationSource::Feed)));
    }
    if let Some(answer) = answers.standing {
        let source = match answer {
            Some(_) => RevocationSource::Introspection,
            None => RevocationSource::Unavailable,
        };
        return Ok((answer, from(source)));
    }
    if bench.config.revocation.introspection.is_none() {
        // At the start the feed answers at once: better a moment's wait than a refusal.
        if age.is_none() && !answers.feed && bench.revocations.is_coming(bench.config, bench.now) {
            return Err(Stop::Ask(Question::Feed));
        }
        let source = match bench.config.revocation.feed {
            Some(_) => RevocationSource::Unavailable,
            None => RevocationSource::NotConfigured,
        };
        return Ok((None, from(source)));
    }
    match bench.memory.verdict(issuer, jti, bench.now) {
        Some(verdict) => Ok((Some(verdict), from(RevocationSource::IntrospectionCache))),
        None => Err(Stop::Ask(Question::Standing { issuer, jti: jti.to_owned() })),
    }
}

/// Whether `on_unavailable: allow` still lets a grant through that neither feed nor introspection confirms.
pub(super) fn may_go_unverified(
    bench: &Bench<'_>,
    token: &Rc<VerifiedToken>,
    standing: Standing,
) -> Result<(), Denial> {
    // Without feed and introspection there is no knowledge to grow old.
    if standing.source == RevocationSource::NotConfigured {
        return Ok(());
    }
    let counts_for = bench.config.revocation.unavailable_for;
    bench.knowledge.lets_through(token, counts_for, bench.now).map_err(|why| Denial {
        standing: Some(standing),
        remedy: Some(why.remedy(counts_for)),
        ..Denial::under(DenyReason::RevocationUnknown, token)
    })
}

//! The one function that decides, and what only it can make.

mod proof;

use crate::config::{Config, Enforcement};
use crate::instant::Instant;
use crate::policy::{Rule as RefusingRule, Scope};
use crate::reason::DenyReason;
use crate::trace::{Rule, Said, Trace};

use super::covering::is_sender;
use super::refusing::{covering_rule, needs_token, protected_by};
use super::rules::covered;
use super::standing::stands;
use super::token::verified;
use super::{
    Answers, Configuration, Denial, Earlier, Evaluation, Known, Moment, Request, Ruling, Stop,
    Token,
};

pub(crate) use proof::{Allowance, Terms};
pub use proof::{Permit, STREAM_DURATION_HEADER};

/// Decides about one request, wherever in its life it is.
pub(crate) fn evaluate(
    configuration: Configuration<'_>,
    request: &Request<'_>,
    token: &Token,
    known: &mut Known<'_>,
    now: Instant,
) -> Evaluation {
    let mut trace = Trace::default();
    let ruled = match request.moment {
        Moment::Arrives { earlier } => {
            arrives(configuration.own, request, token, earlier, &mut trace)
        }
        Moment::Judged { certificate, answers } => {
            judged(configuration, request, token, (certificate, answers), known, now, &mut trace)
        }
        Moment::Runs { permitted } => {
            runs(configuration, request, token, permitted, known, now, &mut trace)
        }
    };
    let ruling = ruled.unwrap_or_else(|stop| match (stop, configuration.own.enforcement) {
        (Stop::Ask(question), _) => Ruling::Ask(question),
        (Stop::Deny(denial), Enforcement::Enforce) => Ruling::Deny(denial),
        (Stop::Deny(denial), Enforcement::Shadow) => Ruling::ShadowDeny(denial),
    });
    Evaluation { ruling, trace }
}

/// Rule 1: whether it is ours to decide.
fn arrives(
    config: &Config,
    request: &Request<'_>,
    token: &Token,
    earlier: &dyn Fn() -> Option<Earlier>,
    trace: &mut Trace,
) -> Result<Ruling, Stop> {
    let facts = request.facts;
    let is_ours = !matches!(token, Token::Nothing) || needs_token(config, facts);
    trace.own.passed(Rule::TokenNeeded);
    // An earlier instance of this filter sets headers that are ours. Other traffic need not be asked about.
    let earlier = if is_ours || facts.has_reserved { earlier() } else { None };
    match earlier {
        None if is_ours => Ok(Ruling::Judge),
        None => Ok(Ruling::Pass),
        Some(Earlier::Same) => {
            trace.own.passed(Rule::EarlierInstance);
            Ok(Ruling::StepAside)
        }
        Some(Earlier::Other { is_permitted }) => {
            let denial = refused_beside(config, request, token, is_permitted);
            let said = denial.as_ref().map_or(Said::Passed, |denial| Said::Refused(denial.reason));
            trace.own.note(Rule::EarlierInstance, said);
            denial.map_or(Ok(Ruling::Pass), |denial| Err(denial.into()))
        }
    }
}

/// Why a request is refused whose first instance is not known to be the same. Of a token nothing is verified: it
/// could only get a permit.
fn refused_beside(
    config: &Config,
    request: &Request<'_>,
    token: &Token,
    is_permitted: bool,
) -> Option<Denial> {
    let facts = request.facts;
    if is_permitted && let Some(rule) = covering_rule(&config.ceiling, facts) {
        return Some(Denial { rule: Some(rule.summary()), ..Denial::of(DenyReason::Ceiling) });
    }
    if is_permitted || !matches!(token, Token::Nothing) {
        return Some(Denial::of(DenyReason::ConfiguredTwice));
    }
    needs_token(config, facts).then(|| Denial {
        rule: covering_rule(&config.protected, facts).map(RefusingRule::summary),
        ..Denial::of(DenyReason::TokenMissing)
    })
}

/// Rules 1 to 8, for a request that is ours.
fn judged(
    configuration: Configuration<'_>,
    request: &Request<'_>,
    token: &Token,
    (certificate, answers): (&dyn Fn() -> Option<Vec<u8>>, &Answers),
    known: &mut Known<'_>,
    now: Instant,
    trace: &mut Trace,
) -> Result<Ruling, Stop> {
    let (config, facts) = (configuration.own, request.facts);
    let token = match token {
        Token::Nothing => {
            trace.own.note(Rule::TokenNeeded, Said::Refused(DenyReason::TokenMissing));
            let rule = protected_by(config, facts).map(str::to_owned);
            return Err(Denial { rule, ..Denial::of(DenyReason::TokenMissing) }.into());
        }
        Token::Refused(reason) => {
            trace.own.note(Rule::TokenForm, Said::Refused(*reason));
            return Err(Denial::of(*reason).into());
        }
        Token::Bytes(bytes) => verified(config, known, bytes, answers, now, &mut trace.own)?,
        // What was let through is judged as what runs.
        Token::Verified(_) => return Err(Denial::of(DenyReason::InternalError).into()),
    };
    let is_sender = |scope: &Scope| is_sender(scope, &token, certificate);
    let (scope, rule) = covered(config, &token, facts, &is_sender, now, &mut trace.own)?;
    let (reason, standing) =
        stands(config, known, &token, scope, answers, now).inspect_err(|stop| {
            let said = match stop {
                Stop::Ask(_) => Said::Asked,
                Stop::Deny(denial) => Said::Refused(denial.reason),
            };
            trace.own.note(Rule::Standing, said);
        })?;
    trace.own.passed(Rule::Standing);
    let next = match configuration.successor {
        None => None,
        Some(successor) => successor
            .covers(&token, facts, now, now, &mut trace.successor)
            .map_err(|denial| Denial {
                scope: Some(scope.name.clone()),
                rule: Some(rule.clone()),
                standing: Some(standing),
                ..denial
            })?,
    };
    let next = next.map(|scope| scope.name.clone());
    let scope = scope.name.clone();
    Ok(Ruling::Allow(Allowance::new(reason, token, scope, rule, standing, next)))
}

/// Rule 8 for a request that was let through.
fn runs(
    configuration: Configuration<'_>,
    request: &Request<'_>,
    token: &Token,
    permitted: Instant,
    known: &mut Known<'_>,
    now: Instant,
    trace: &mut Trace,
) -> Result<Ruling, Stop> {
    let Token::Verified(token) = token else {
        return Err(Denial::of(DenyReason::InternalError).into());
    };
    if known.revocations.is_revoked(&token.claims().jti) {
        trace.own.note(Rule::Standing, Said::Refused(DenyReason::Revoked));
        return Err(Denial::under(DenyReason::Revoked, token).into());
    }
    let Some(successor) = configuration.successor else { return Ok(Ruling::RunsOn(None)) };
    let scope = successor.covers(token, request.facts, permitted, now, &mut trace.successor)?;
    Ok(Ruling::RunsOn(scope.map(|scope| scope.name.clone())))
}

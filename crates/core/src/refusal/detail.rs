//! What a refusal says in words.

use crate::decision::Denial;
use crate::reason::DenyReason;

/// What happened and what to do, for the person who has to act. Says nothing about a token that
/// was not verified.
pub(super) fn detail(denial: &Denial) -> String {
    if let Some(remedy) = &denial.remedy {
        return remedy.clone();
    }
    match denial.reason {
        DenyReason::TokenMissing => {
            "this needs a break-glass token: ask for one with `breakglass request`".into()
        }
        DenyReason::TokenDuplicated => {
            "the token is sent more than once, or beside something else: send it alone, in one line of one header"
                .into()
        }
        DenyReason::TokenTooLarge => {
            "what is sent as the token is larger than any token may be here: check what the variable or file holds"
                .into()
        }
        DenyReason::Ceiling => "no grant can reach this".into(),
        DenyReason::OutOfScope => match denial.ask_for {
            Some(_) => "the grant does not cover this request; ask for the scope that does".into(),
            None => "the grant does not cover this request, and no scope does".into(),
        },
        DenyReason::MethodOverride => {
            "send the method itself, without a header that overrides it".into()
        }
        DenyReason::ReservedHeader => {
            "send it without headers that begin with `x-breakglass-`, the token's aside: they could choose \
             the route by which the grant is judged"
                .into()
        }
        DenyReason::SecondResource => {
            "send the path itself, without a header or parameter that names another one".into()
        }
        DenyReason::AmbiguousPath => {
            "the path can be read in two ways: send it without empty or dot segments, `;`, `\\`, and \
             encoded separators"
                .into()
        }
        DenyReason::Revoked => "the grant was revoked or has ended; ask for a new one".into(),
        // What was let run out: which scope it was is in the record.
        DenyReason::ScopeChanged => {
            "the scope's rules in this proxy's configuration are not those that were approved: ask again".into()
        }
        DenyReason::ScopeWithdrawn => match &denial.because {
            None => "the configuration has changed, and the grant no longer covers this request".into(),
            Some(because) => format!(
                "the configuration of this proxy has changed, and no longer lets this through ({}): {}",
                because.reason.code(),
                detail(because)
            ),
        },
        DenyReason::RouteChanged => {
            "this proxy sent the request by another route than the one that was judged, and the grant does not \
             cover that one. It may have been carried out: look before you repeat it. The audit record names both \
             routes, for whoever runs the proxy"
                .into()
        }
        DenyReason::MaxStream => {
            "it has run for as long as the scope lets one stream run (`max_stream`). What it asked for may have been \
             carried out: look before you repeat it"
                .into()
        }
        DenyReason::RedirectElsewhere => {
            "the answer leads to another authority, or from https to http, and the scope does not let it \
             (`redirects`): a client that follows could take the token along. The request may have been carried \
             out: look before you repeat it"
                .into()
        }
        DenyReason::RevocationUnknown => {
            "whether the grant still stands could not be checked; try again".into()
        }
        DenyReason::TokenExpired if denial.token.is_some() => {
            "the grant has ended: ask for a new one with `breakglass request`".into()
        }
        DenyReason::SenderMismatch => {
            "the token is bound to a client certificate that was not presented".into()
        }
        DenyReason::KeysUnavailable => {
            "the issuer's keys could not be fetched; try again".into()
        }
        DenyReason::ConfiguredTwice => {
            "the break-glass filter is in this filter chain twice, and not known to have one configuration: tell \
             who runs this proxy to remove one"
                .into()
        }
        DenyReason::InternalError => "the break-glass filter failed; try again".into(),
        other => format!("the token was refused: {}", other.code()),
    }
}

//! What a scope asks of the approval: which rules it was for, why the grant exists, and how many people approved it.

use breakglass_types::Basis;
use breakglass_types::scope_rules::ScopeDigest;

use crate::claims::Breakglass;
use crate::reason::DenyReason;

use super::unmet::Unmet;

/// `same_digest`: the token names, for the scope called `name`, the digest of the rules that it has.
pub(super) fn same_digest(
    name: &str,
    digest: Option<&ScopeDigest>,
    grant: &Breakglass,
) -> Result<(), Unmet> {
    let remedy = match (grant.scopes.get(name), digest) {
        (Some(approved), Some(digest)) if approved == digest => return Ok(()),
        (Some(_), _) => format!(
            "the rules of the scope {name} in this proxy's configuration are not those that were approved: ask again"
        ),
        (None, _) => format!(
            "the scope {name} takes only tokens that name the rules that were approved (`breakglass.scopes`), and this \
             one names none for it: ask again; where the new token names none either, the approval service does not \
             know this proxy's rules"
        ),
    };
    Err(Unmet { reason: DenyReason::ScopeChanged, remedy })
}

/// `require.basis`: the grant exists for one of these reasons.
pub(super) fn basis(wanted: &[Basis], grant: &Breakglass) -> Result<(), Unmet> {
    let has = match grant.basis {
        Some(basis) if wanted.contains(&basis) => return Ok(()),
        Some(basis) => format!("this one is `{}`", basis.word()),
        None => "the token does not say what this one is".to_owned(),
    };
    let wanted: Vec<&str> = wanted.iter().map(|basis| basis.word()).collect();
    let remedy = format!(
        "the scope is for grants whose basis is `{}`, and {has}: ask for one that is",
        wanted.join("` or `")
    );
    Err(Unmet { reason: DenyReason::BasisNotAllowed, remedy })
}

/// `require.approvals`: so many people approved it.
pub(super) fn approvals(wanted: u32, grant: &Breakglass) -> Result<(), Unmet> {
    let has = match grant.approvals {
        Some(count) if count >= wanted => return Ok(()),
        Some(count) => format!("{count} approved this one"),
        None => "the token does not say how many approved this one".to_owned(),
    };
    let remedy = format!(
        "the scope is for grants that at least {wanted} people approved, and {has}: ask for one that {wanted} approve"
    );
    Err(Unmet { reason: DenyReason::ApprovalsMissing, remedy })
}

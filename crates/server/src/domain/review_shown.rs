//! What a reviewer is shown of a grant and does not change any more, and its digest, as one thing to sign.
//!
//! It is SHA-256 over JSON in the form of RFC 8785, which docs/review.md describes. What proxies may still report (alerts, uses) and
//! what becomes of rotations is shown beside it, and is no part of it.

use breakglass_types::Basis;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::grant_end::grant_end;
use crate::store::{MutualApproval, Request, Review};

/// The version of the form.
const VERSION: u8 = 1;

// The members stand in the order of their names, as RFC 8785 sorts them. Times are in seconds since 1970, those of
// approvals in milliseconds, and that of the end as it is shown.
#[derive(Serialize)]
struct Form<'a> {
    activated_at: Option<i64>,
    approvals: Vec<FormApproval<'a>>,
    approved_at: Option<i64>,
    basis: Basis,
    ended: Option<FormEnd<'a>>,
    expires_at: Option<i64>,
    grant: &'a str,
    id: &'a str,
    mutual_approvals: Vec<FormMutual<'a>>,
    /// The digest of the request, as its approvers named it.
    request: String,
    rules: &'a [String],
    scopes: &'a [String],
    v: u8,
}

#[derive(Serialize)]
struct FormApproval<'a> {
    at_ms: i64,
    by: &'a str,
    groups: Option<&'a [String]>,
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct FormEnd<'a> {
    at: &'a str,
    by: Option<&'a str>,
    how: &'a str,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct FormMutual<'a> {
    approver: &'a str,
    at_ms: i64,
    request: &'a str,
}

/// The digest of a review: 64 lower-case hex digits.
#[must_use]
pub(super) fn review_digest(
    review: &Review,
    request: &Request,
    mutual: &[MutualApproval],
) -> String {
    let ended = grant_end(request);
    let form = Form {
        activated_at: request.activated_at,
        approvals: request
            .approvals
            .iter()
            .map(|row| FormApproval {
                at_ms: row.approved_at_ms,
                by: &row.approver,
                groups: row.approver_groups.as_deref(),
                note: row.note.as_deref(),
            })
            .collect(),
        approved_at: request.approved_at,
        basis: request.basis,
        ended: ended.as_ref().map(|end| FormEnd {
            at: end.at.text(),
            by: end.by.as_deref(),
            how: end.how.word(),
            reason: end.reason.as_deref(),
        }),
        expires_at: request.expires_at,
        grant: &review.jti,
        id: &review.id,
        mutual_approvals: mutual
            .iter()
            .map(|one| FormMutual {
                approver: &one.approver,
                at_ms: one.approved_at_ms,
                request: &one.request,
            })
            .collect(),
        request: request.digest(),
        rules: &review.rules.0,
        scopes: request.held_scopes(),
        v: VERSION,
    };
    // Texts, numbers and lists of them are always written.
    let text = serde_json::to_vec(&form).unwrap_or_default();
    breakglass_types::hex::lower(&Sha256::digest(text))
}

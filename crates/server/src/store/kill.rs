//! The grants that the kill switch and its kind mean.

use serde_json::{Value, json};

use super::row::approvers;
use super::{Store, StoreError};
use crate::clock::Moment;
use crate::limits::CLOCK_SKEW_S;
use breakglass_audit::folded::Folded;

/// Which grants are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Every one.
    All,
    /// This one.
    Grant(&'a str),
    /// Those of this incident.
    Incident(&'a str),
    /// Those that name this scope, whatever else they name.
    Scope(&'a str),
    /// Those that this person holds.
    Subject(&'a str),
}

/// A grant that can be revoked.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LiveGrant {
    /// Its id.
    pub jti: String,
    /// Its holder.
    pub requester: String,
    /// Its environment.
    pub audience: String,
    /// Who approved it.
    #[sqlx(json)]
    pub approvers: Vec<String>,
    /// Its incident, if one was named.
    pub incident: Option<String>,
    /// Its scopes.
    #[sqlx(json)]
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: i64,
    /// When it was approved.
    pub approved_at: i64,
}

/// The most grants that one step revokes: no other change waits for longer than that takes.
pub const STEP: usize = 500;

impl<'a> Target<'a> {
    /// What the trail calls it.
    #[must_use]
    pub fn describe(self) -> Value {
        match self {
            Target::All => json!({ "all": true }),
            Target::Grant(jti) => json!({ "grant": jti }),
            Target::Incident(incident) => json!({ "incident": incident }),
            Target::Scope(scope) => json!({ "scope": scope }),
            Target::Subject(subject) => json!({ "subject": subject }),
        }
    }

    /// The name that is meant in every spelling: that of an incident, a scope or a person.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        match self {
            Target::All | Target::Grant(_) => None,
            Target::Incident(name) | Target::Scope(name) | Target::Subject(name) => Some(name),
        }
    }

    /// How `grant` spells that name: more than once only for scopes that look alike.
    pub fn spellings<'g>(self, grant: &'g LiveGrant, name: &Folded) -> Vec<&'g str> {
        let candidates: Vec<&str> = match self {
            Target::All | Target::Grant(_) => Vec::new(),
            Target::Incident(_) => grant.incident.as_deref().into_iter().collect(),
            Target::Scope(_) => grant.scopes.iter().map(String::as_str).collect(),
            Target::Subject(_) => vec![&grant.requester],
        };
        candidates.into_iter().filter(|candidate| name.is(candidate)).collect()
    }
}

/// Selects grants.
macro_rules! select_grants {
    ($condition:literal) => {
        concat!(
            "SELECT jti, requester, audience, ",
            approvers!(),
            " AS approvers, incident, granted_scopes AS scopes, expires_at, approved_at FROM requests
             WHERE jti IS NOT NULL AND ",
            $condition,
            " ORDER BY approved_at, jti"
        )
    };
}

impl Store {
    /// The grants that `target` means: approved, not revoked, and at `floor`, the earliest that it could be,
    /// not over for longer than a filter's clock can be wrong. One that is named by its id may be over.
    /// Whether a token was issued makes no difference.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn matching(
        &self,
        floor: Moment,
        target: Target<'_>,
    ) -> Result<Vec<LiveGrant>, StoreError> {
        let (query, jti) = match target {
            Target::Grant(jti) => (
                select_grants!(
                    "jti = ?2 AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)"
                ),
                Some(jti),
            ),
            _ => (
                select_grants!(
                    "expires_at > ?1 AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)"
                ),
                None,
            ),
        };
        let mut grants: Vec<LiveGrant> = sqlx::query_as(query)
            .bind(floor.seconds().saturating_sub(CLOCK_SKEW_S))
            .bind(jti)
            .fetch_all(&self.lookups)
            .await?;
        // The requester chose the spelling, in a row that may be older than today's bounds.
        if let Some(name) = target.name().map(Folded::new) {
            grants.retain(|grant| !target.spellings(grant, &name).is_empty());
        }
        Ok(grants)
    }

    /// The grants under which something may still run at a proxy that is cut off: those that are not over, also
    /// where they are revoked.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn running(&self, floor: Moment) -> Result<Vec<LiveGrant>, StoreError> {
        Ok(sqlx::query_as(select_grants!("expires_at > ?1"))
            .bind(floor.seconds().saturating_sub(CLOCK_SKEW_S))
            .fetch_all(&self.lookups)
            .await?)
    }
}

//! Revokes many grants, in steps whose work is bounded: each is one transaction with its audit rows.

use serde_json::{Value, json};

use super::write::Write;
use super::{Store, StoreError, audit};
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
    /// Who approved it.
    pub approved_by: String,
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

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The grants that it revoked; those that were revoked already are not among them.
    pub revoked: Vec<String>,
    /// The latest epoch.
    pub epoch: i64,
}

impl<'a> Target<'a> {
    /// What the trail calls it.
    fn describe(self) -> Value {
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

/// Selects grants that are not revoked.
macro_rules! select_live {
    ($condition:literal) => {
        concat!(
            "SELECT jti, requester, approved_by, incident, scopes, expires_at, approved_at FROM requests
             WHERE jti IS NOT NULL AND ",
            $condition,
            " AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti)
             ORDER BY approved_at, jti"
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
            Target::Grant(jti) => (select_live!("jti = ?2"), Some(jti)),
            _ => (select_live!("expires_at > ?1"), None),
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
        Ok(sqlx::query_as(
            "SELECT jti, requester, approved_by, incident, scopes, expires_at, approved_at FROM requests
             WHERE jti IS NOT NULL AND expires_at > ?1 ORDER BY approved_at, jti",
        )
        .bind(floor.seconds().saturating_sub(CLOCK_SKEW_S))
        .fetch_all(&self.lookups)
        .await?)
    }

    /// Revokes those of `chosen`, at most [`STEP`] grants, that nobody has revoked meanwhile, in this order.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do all of it: then none of it is done.
    pub async fn revoke_step(
        &self,
        now: Moment,
        chosen: &[String],
        actor: &str,
        reason: &str,
        target: Target<'_>,
    ) -> Result<Step, StoreError> {
        let mut transaction = self.write().await?;
        let before = epoch(&mut transaction).await?;
        let revoked: Vec<String> = sqlx::query_scalar(
            "SELECT chosen.value FROM json_each(?1) AS chosen
             WHERE NOT EXISTS (SELECT 1 FROM revocations WHERE jti = chosen.value)
             ORDER BY chosen.key",
        )
        .bind(Value::from(chosen).to_string())
        .fetch_all(&mut *transaction)
        .await?;
        let result = sqlx::query(
            "INSERT INTO revocations (jti, revoked_at_ms, revoked_by, reason, expires_at)
             SELECT jti, ?2, ?3, ?4, expires_at
             FROM json_each(?1) AS chosen JOIN requests ON requests.jti = chosen.value
             ORDER BY chosen.key",
        )
        .bind(Value::from(revoked.as_slice()).to_string())
        .bind(now.millis())
        .bind(actor)
        .bind(reason)
        .execute(&mut *transaction)
        .await?;
        let detail = json!({ "reason": reason, "match": target.describe() });
        let rows = audit::append_revocations(&mut transaction, now, before, actor, &detail);
        for affected in [result.rows_affected(), rows.await?] {
            if usize::try_from(affected) != Ok(revoked.len()) {
                return Err(StoreError::RowsAffected(affected));
            }
        }
        let epoch = epoch(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Step { revoked, epoch })
    }
}

async fn epoch(transaction: &mut Write) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(epoch), 0) FROM revocations")
        .fetch_one(&mut **transaction)
        .await?)
}

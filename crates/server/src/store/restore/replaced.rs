//! What the database that a restore replaces still tells.

use std::path::Path;

use serde::Serialize;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use crate::clock::Moment;
use crate::issuer::TrailKeys;
use crate::store::check::{Report, check_database};
use crate::store::maintenance::open_to_read;
use crate::store::row::select_requests;
use crate::store::{CarriedReview, CarriedRotation, Request, TrailHead};

/// What is known of the database that is replaced.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// In one word, for the trail.
    pub(super) state: State,
    /// Its last head.
    pub(super) head: Option<TrailHead>,
    /// Its requests that have a grant, the oldest first; those that could be read.
    pub(super) grants: Vec<Request>,
    /// The requests that wait for a decision there.
    pub(super) pending: Vec<String>,
    /// What its used grants owe, and is not done.
    pub(super) rotations: Vec<CarriedRotation>,
    /// The reviews of its used grants that no reviewer has decided.
    pub(super) reviews: Vec<CarriedReview>,
}

/// Whether what was ended after the backup is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is as the service left it, and goes on from the backup: all that was ended is known.
    Whole,
    /// It can be read, and something of it was changed or is missing.
    Changed,
    /// It cannot be read.
    Unreadable,
    /// There is none.
    #[default]
    Absent,
}

impl Replaced {
    /// Reads the database at `path`, which goes on from the head `from`; `known` is a head that was kept elsewhere.
    pub(super) async fn read(
        path: &Path,
        keys: &TrailKeys,
        from: &TrailHead,
        known: Option<&TrailHead>,
    ) -> Replaced {
        if !path.exists() {
            return Replaced::default();
        }
        let mut report = Report::default();
        let checked = check_database(path, Some(keys), &mut report).await.is_ok();
        let mut replaced = match open_to_read(path).await {
            Ok(mut connection) => {
                let replaced = Replaced::of(&mut connection, from, known).await;
                let _ = connection.close().await;
                replaced
            }
            Err(error) => Err(error),
        }
        .unwrap_or(Replaced { state: State::Unreadable, ..Replaced::default() });
        if replaced.state == State::Whole && !(checked && report.is_clean()) {
            replaced.state = State::Changed;
        }
        replaced
    }

    async fn of(
        connection: &mut SqliteConnection,
        from: &TrailHead,
        known: Option<&TrailHead>,
    ) -> Result<Replaced, sqlx::Error> {
        let (seq, hash): (i64, Option<String>) =
            sqlx::query_as("SELECT event, head FROM positions").fetch_one(&mut *connection).await?;
        let grants =
            sqlx::query_as(select_requests!("WHERE jti IS NOT NULL ORDER BY submitted_at, id"))
                .bind(Moment::from_seconds(0).seconds())
                .fetch_all(&mut *connection)
                .await?;
        let pending = sqlx::query_scalar(
            "SELECT id FROM requests WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
               AND lapsed_at IS NULL",
        )
        .fetch_all(&mut *connection)
        .await?;
        // A database of a version before has none.
        let rotations = sqlx::query_as(
            "SELECT id, request_id, hook, scopes FROM rotations INDEXED BY rotations_open WHERE done_at_ms IS NULL",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
        let reviews = sqlx::query_as(
            "SELECT id, request_id, scopes, rules, within_s, needs_approval FROM reviews INDEXED BY reviews_open
             WHERE decided_at_ms IS NULL",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
        let head = hash.map(|hash| TrailHead { seq, hash });
        let mut whole = head.is_some();
        for wanted in [Some(from), known].into_iter().flatten() {
            whole = whole && (head.as_ref() == Some(wanted) || wanted.is_in(connection).await?);
        }
        let state = if whole { State::Whole } else { State::Changed };
        Ok(Replaced { state, head, grants, pending, rotations, reviews })
    }
}

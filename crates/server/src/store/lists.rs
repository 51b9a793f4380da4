//! Lists of requests, in pages whose work has a bound that does not grow with how many requests there are.
//!
//! A person sees several lists (`request_lists` has one per requester and scope), each sorted, in up to six
//! phases. A page is the merge of them from the newest id on: every list and phase that is needed is read for
//! one page at most, and each row with one look-up. What is pending or live is few beside what has lapsed or
//! expired, so these two are found by their end instead.
//!
//! What is read of a list is one JSON array and not a row for each id: each row is a message from the connection's thread,
//! and they took more time than the search.

use std::collections::BinaryHeap;

use sqlx::types::Json;
use sqlx::{Sqlite, Transaction};

use super::State;
use super::row::{Request, select_requests};
use super::{Store, StoreError};
use crate::clock::Moment;

/// Whose requests to list.
#[derive(Debug, Clone, Copy)]
pub enum Visible<'a> {
    /// Every request.
    Everything,
    /// Those that this person submitted, and those that name one of these scopes.
    Of {
        /// The person.
        requester: &'a str,
        /// The scopes.
        scopes: &'a [String],
    },
}

/// All that this query finds, whose only column is `$column`, as one JSON array.
macro_rules! as_array {
    ($column:literal, $query:expr) => {
        concat!(
            "SELECT '[' || coalesce(group_concat(",
            $column,
            "), '') || ']' FROM (",
            $query,
            ")"
        )
    };
}

/// Which requests to list: the newest first.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// Of these.
    pub visible: Visible<'a>,
    /// In this state only.
    pub state: Option<State>,
    /// Older than the one with this id: `next` of the page before.
    pub after: Option<&'a str>,
    /// At most this many.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug)]
pub struct RequestPage {
    /// The requests.
    pub requests: Vec<Request>,
    /// `after` of the next page, if there is one.
    pub next: Option<String>,
}

/// Sorts after every id.
const NEWEST: &str = "\u{10ffff}";

/// The phases of `request_lists`.
const PHASES: [&str; 6] = ["undecided", "approved", "active", "denied", "cancelled", "revoked"];

/// How the requests in a state are found.
enum Search {
    /// In these phases, from the newest on: those whose end is not after this second.
    Walk(&'static [&'static str], i64),
    /// In these phases: those whose end is after this second.
    NotEnded(&'static [&'static str], i64),
}

impl Search {
    fn of(state: Option<State>, now: Moment) -> Search {
        let now = now.seconds();
        match state {
            None => Search::Walk(&PHASES, i64::MAX),
            Some(State::Pending) => Search::NotEnded(&["undecided"], now),
            // Every grant that holds, as before there was another word for those that were activated.
            Some(State::Approved) => Search::NotEnded(&["approved", "active"], now),
            Some(State::Active) => Search::NotEnded(&["active"], now),
            Some(State::Lapsed) => Search::Walk(&["undecided", "approved"], now),
            Some(State::Expired) => Search::Walk(&["active"], now),
            Some(State::Denied) => Search::Walk(&["denied"], i64::MAX),
            Some(State::Cancelled) => Search::Walk(&["cancelled"], i64::MAX),
            Some(State::Revoked) => Search::Walk(&["revoked"], i64::MAX),
        }
    }
}

impl Store {
    /// The newest requests that `filter` lets through.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn requests(
        &self,
        now: Moment,
        filter: &Filter<'_>,
    ) -> Result<RequestPage, StoreError> {
        // One transaction: all of a page is as of one moment.
        let mut transaction = self.lists.begin().await?;
        let after = filter.after.unwrap_or(NEWEST);
        // One more tells whether there is another page.
        let wanted = filter.limit.saturating_add(1);
        let mut ids = match (filter.visible, filter.state) {
            (Visible::Everything, None) => all(&mut transaction, after, wanted).await?,
            (visible, state) => {
                let lists = lists(&mut transaction, visible).await?;
                match Search::of(state, now) {
                    Search::Walk(phases, ended_at) => {
                        Walk { transaction: &mut transaction, ended_at, wanted }
                            .run(&lists, phases, after)
                            .await?
                    }
                    Search::NotEnded(phases, at) => {
                        not_ended(&mut transaction, &lists, phases, at, after, wanted).await?
                    }
                }
            }
        };
        let more = ids.len() > filter.limit;
        ids.truncate(filter.limit);
        let page =
            as_array!("request", select_requests!("WHERE id IN (SELECT value FROM json_each(?2))"));
        let Json(mut requests): Json<Vec<Request>> = sqlx::query_scalar(page)
            .bind(now.seconds())
            .bind(Json(&ids))
            .fetch_one(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        requests.sort_unstable_by(|one, other| other.id.cmp(&one.id));
        Ok(RequestPage { requests, next: ids.pop().filter(|_| more) })
    }
}

/// The ids of all requests.
async fn all(
    transaction: &mut Transaction<'static, Sqlite>,
    after: &str,
    wanted: usize,
) -> Result<Vec<String>, StoreError> {
    let ids = as_array!(
        "json_quote(id)",
        "SELECT id FROM requests WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
    );
    let ids = sqlx::query_scalar(ids).bind(after).bind(limit(wanted));
    Ok(newest_first(ids.fetch_one(&mut **transaction).await?))
}

/// The names of the lists on which everything visible is.
async fn lists(
    transaction: &mut Transaction<'static, Sqlite>,
    visible: Visible<'_>,
) -> Result<Vec<String>, StoreError> {
    match visible {
        Visible::Of { requester, scopes } => {
            let scopes = scopes.iter().map(|scope| format!("scope {scope}"));
            Ok(scopes.chain([format!("requester {requester}")]).collect())
        }
        // Every request names a scope. Each name is one look-up for the next one.
        Visible::Everything => Ok(sqlx::query_scalar(
            "WITH RECURSIVE named (list) AS (
                 SELECT min(list) FROM request_lists WHERE list >= 'scope '
                 UNION ALL
                 SELECT (SELECT min(list) FROM request_lists WHERE list > named.list)
                 FROM named WHERE named.list IS NOT NULL)
             SELECT list FROM named WHERE list IS NOT NULL",
        )
        .fetch_all(&mut **transaction)
        .await?),
    }
}

/// The ids of those in these phases that end after the second `at`.
async fn not_ended(
    transaction: &mut Transaction<'static, Sqlite>,
    lists: &[String],
    phases: &[&str],
    at: i64,
    after: &str,
    wanted: usize,
) -> Result<Vec<String>, StoreError> {
    let ids = sqlx::query_scalar(as_array!(
        "json_quote(request_id)",
        "SELECT DISTINCT request_id FROM request_lists INDEXED BY request_lists_by_end
         WHERE list IN (SELECT value FROM json_each(?1))
           AND phase IN (SELECT value FROM json_each(?2))
           AND phase IN ('undecided', 'approved', 'active') AND ends_at > ?3
           AND request_id < ?4
         ORDER BY request_id DESC LIMIT ?5"
    ))
    .bind(Json(lists))
    .bind(Json(phases))
    .bind(at)
    .bind(after)
    .bind(limit(wanted));
    Ok(newest_first(ids.fetch_one(&mut **transaction).await?))
}

/// A merge of lists.
struct Walk<'t> {
    transaction: &'t mut Transaction<'static, Sqlite>,
    /// Only what ends at this second or before.
    ended_at: i64,
    wanted: usize,
}

/// One list in one phase.
struct Stream {
    list: String,
    phase: String,
    /// What was read and is not merged yet, the oldest first.
    read: Vec<String>,
}

impl Walk<'_> {
    async fn run(
        &mut self,
        lists: &[String],
        phases: &[&str],
        after: &str,
    ) -> Result<Vec<String>, StoreError> {
        let mut streams = Vec::new();
        let mut heads = BinaryHeap::new();
        for (list, phase, id) in self.heads(lists, phases, after).await? {
            heads.push((id, streams.len()));
            streams.push(Stream { list, phase, read: Vec::new() });
        }
        let mut ids: Vec<String> = Vec::new();
        while ids.len() < self.wanted {
            let Some((id, index)) = heads.pop() else { break };
            if let Some(stream) = streams.get_mut(index) {
                if stream.read.is_empty() {
                    stream.read = self.older(stream, &id).await?;
                }
                heads.extend(stream.read.pop().map(|next| (next, index)));
            }
            // A request is on several lists.
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// The newest id of each list in each phase, where there is one.
    async fn heads(
        &mut self,
        lists: &[String],
        phases: &[&str],
        after: &str,
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        let found: Vec<(String, String, Option<String>)> = sqlx::query_as(
            "SELECT named.value, phases.value,
                 (SELECT request_id FROM request_lists
                  WHERE list = named.value AND phase = phases.value AND request_id < ?3
                    AND ends_at <= ?4
                  ORDER BY request_id DESC LIMIT 1)
             FROM json_each(?1) AS named JOIN json_each(?2) AS phases",
        )
        .bind(Json(lists))
        .bind(Json(phases))
        .bind(after)
        .bind(self.ended_at)
        .fetch_all(&mut **self.transaction)
        .await?;
        Ok(found.into_iter().filter_map(|(list, phase, id)| Some((list, phase, id?))).collect())
    }

    /// What is older than `id`, the oldest first.
    async fn older(&mut self, stream: &Stream, id: &str) -> Result<Vec<String>, StoreError> {
        let ids = sqlx::query_scalar(as_array!(
            "json_quote(request_id)",
            "SELECT request_id FROM request_lists
             WHERE list = ?1 AND phase = ?2 AND request_id < ?3 AND ends_at <= ?4
             ORDER BY request_id DESC LIMIT ?5"
        ))
        .bind(&stream.list)
        .bind(&stream.phase)
        .bind(id)
        .bind(self.ended_at)
        .bind(limit(self.wanted));
        let mut ids = newest_first(ids.fetch_one(&mut **self.transaction).await?);
        ids.reverse();
        Ok(ids)
    }
}

/// Ids sort by time. The array of a query has its rows in any order.
fn newest_first(Json(mut ids): Json<Vec<String>>) -> Vec<String> {
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids
}

fn limit(wanted: usize) -> i64 {
    i64::try_from(wanted).unwrap_or(i64::MAX)
}

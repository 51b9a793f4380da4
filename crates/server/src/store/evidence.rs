//! What an auditor reads: requests with their trail.

use serde_json::Value;
use sqlx::{Sqlite, Transaction};

use super::row::{Request, select_requests};
use super::{Store, StoreError};
use crate::clock::Moment;

/// What the evidence is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// This grant.
    Grant(&'a str),
    /// The incident with these spellings.
    Incident(&'a [String]),
    /// What the person with these spellings asked for.
    Subject(&'a [String]),
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Step {
    /// Its place in the whole trail: it only grows.
    pub seq: i64,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// Did what.
    pub action: String,
    /// With what.
    #[sqlx(json)]
    pub detail: Value,
}

/// A request with its trail.
#[derive(Debug)]
pub struct Evidence {
    /// The request.
    pub request: Request,
    /// Its trail, in its order; what there is room for on the page.
    pub trail: Vec<Step>,
}

/// A part of the evidence.
#[derive(Debug, Default)]
pub struct EvidencePage {
    /// The requests, the oldest first.
    pub requests: Vec<Evidence>,
    /// `after` of the next page, if there is one.
    pub next: Option<String>,
}

/// The most rows of the trail on one page: a requester takes as many tokens as they like, and each is a row.
const STEPS: usize = 10_000;

/// Where a page begins: after a request, or in the middle of its trail. As text it sorts as the pages do, because
/// no id has a `~`.
struct Position<'a> {
    request: &'a str,
    /// The last row that was on the page before.
    seq: Option<i64>,
}

impl<'a> Position<'a> {
    fn parse(text: &'a str) -> Position<'a> {
        let in_trail = text.split_once('~').and_then(|(id, seq)| Some((id, seq.parse().ok()?)));
        match in_trail {
            Some((request, seq)) => Position { request, seq: Some(seq) },
            None => Position { request: text, seq: None },
        }
    }

    fn text(&self) -> String {
        match self.seq {
            Some(seq) => format!("{}~{seq:019}", self.request),
            None => self.request.to_owned(),
        }
    }

    /// The least id that may be on the page.
    fn first(&self) -> String {
        match self.seq {
            Some(_) => self.request.to_owned(),
            // The next text after the id.
            None => format!("{}\u{1}", self.request),
        }
    }
}

impl Store {
    /// A page of the evidence that `about` means, after `next` of the page before (empty for the first page), with
    /// at most so many requests.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn evidence(
        &self,
        now: Moment,
        about: About<'_>,
        after: &str,
        limit: usize,
    ) -> Result<EvidencePage, StoreError> {
        let after = Position::parse(after);
        // One transaction: all of a page is as of one moment.
        let mut transaction = self.lists.begin().await?;
        let requests = requests(&mut transaction, now, about, &after.first(), limit).await?;
        let full = requests.len() >= limit;
        let mut page = EvidencePage::default();
        let mut room = STEPS;
        for request in requests {
            let before = after.seq.filter(|_| request.id == after.request);
            let trail = trail(&mut transaction, &request.id, before.unwrap_or(0), room).await?;
            room = room.saturating_sub(trail.len());
            let last = trail.last().filter(|_| room == 0).map(|step| step.seq);
            let end = Position { request: &request.id, seq: last };
            page.next = (room == 0 || full).then(|| end.text());
            page.requests.push(Evidence { request, trail });
            if room == 0 {
                break;
            }
        }
        transaction.rollback().await?;
        Ok(page)
    }
}

async fn requests(
    transaction: &mut Transaction<'static, Sqlite>,
    now: Moment,
    about: About<'_>,
    first: &str,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    // One query for each: with `?2 IS NULL OR ..` no index could be used.
    let (query, names) = match about {
        About::Grant(jti) => {
            (select_requests!("WHERE jti = ?2 AND id >= ?3 ORDER BY id LIMIT ?4"), jti.to_owned())
        }
        // The inner query is a walk of the index of the column.
        About::Incident(spellings) => (
            select_requests!(
                "WHERE id IN (
                     SELECT id FROM requests
                     WHERE incident IN (SELECT value FROM json_each(?2)) AND id >= ?3
                     ORDER BY id LIMIT ?4)
                 ORDER BY id"
            ),
            Value::from(spellings).to_string(),
        ),
        About::Subject(spellings) => (
            select_requests!(
                "WHERE id IN (
                     SELECT id FROM requests
                     WHERE requester IN (SELECT value FROM json_each(?2)) AND id >= ?3
                     ORDER BY id LIMIT ?4)
                 ORDER BY id"
            ),
            Value::from(spellings).to_string(),
        ),
    };
    Ok(sqlx::query_as(query)
        .bind(now.seconds())
        .bind(names)
        .bind(first)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut **transaction)
        .await?)
}

/// The rows of this request's trail after this one, in their order.
async fn trail(
    transaction: &mut Transaction<'static, Sqlite>,
    request: &str,
    after: i64,
    limit: usize,
) -> Result<Vec<Step>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT seq, at_ms, actor, action, detail FROM audit
         WHERE request_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )
    .bind(request)
    .bind(after)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut **transaction)
    .await?)
}

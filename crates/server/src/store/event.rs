//! A row of `events`.

use serde_json::Value;
use sqlx::SqliteConnection;

/// Selects events, with more columns if any are named.
macro_rules! select_events {
    ($rest:literal) => {
        select_events!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, incident, jti, data,
                 prev, hash, kid, signature",
            $more,
            " FROM events ",
            $rest
        )
    };
}
pub(super) use select_events;

/// An event as it was written.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    /// Its place: events that are committed later have higher ones.
    pub seq: i64,
    /// Its id, for good.
    pub id: String,
    /// When, in milliseconds.
    pub time_ms: i64,
    /// What happened.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// Of what `data` has.
    pub version: i64,
    /// Who did it.
    pub actor: String,
    /// The request.
    pub request_id: Option<String>,
    /// Its place among the events of the request.
    pub request_seq: Option<i64>,
    /// The request's environment.
    pub audience: Option<String>,
    /// The request's requester.
    pub subject: Option<String>,
    /// The request's incident.
    pub incident: Option<String>,
    /// The request's grant.
    pub jti: Option<String>,
    /// More of it.
    #[sqlx(json)]
    pub data: Value,
    /// The hash of the link before it; none for an event of before the chain, as in the three that follow.
    pub prev: Option<String>,
    /// Its own hash.
    pub hash: Option<String>,
    /// The key that signed it.
    pub kid: Option<String>,
    /// The signature over its hash.
    pub signature: Option<String>,
}

/// An event, and its data as the text that is kept: the service writes JSON in one form, and what is in another one is not
/// what it wrote.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Kept {
    #[sqlx(flatten)]
    pub(super) event: Event,
    pub(super) text: String,
}

/// How many events are read at once.
const PAGE: i64 = 5_000;

/// Reads all events in their order.
pub(super) async fn read_all(
    connection: &mut SqliteConnection,
    each: &mut dyn FnMut(Kept),
) -> Result<(), sqlx::Error> {
    let mut after = 0;
    loop {
        let page: Vec<Kept> = sqlx::query_as(select_events!(
            ", data AS text",
            "WHERE seq > ?1 ORDER BY seq LIMIT ?2"
        ))
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.event.seq;
        page.into_iter().for_each(&mut *each);
    }
}

//! Each change has one row of the trail and one event; a refusal has neither.

use std::collections::BTreeMap;

use breakglass_server::store::{Event, Store};
use serde_json::Value;
use sqlx::SqlitePool;

use crate::driver::Driver;
use crate::model::{Clock, Happened, Model};

/// A row of the trail of requests.
type Row = (i64, i64, String, String, String, Option<String>, String);

/// A row of the trail of the service.
type Act = (i64, String, String);

/// What was read so far.
pub(crate) struct Trail {
    database: SqlitePool,
    row: i64,
    act: i64,
    event: i64,
    /// The last place among the events of each request.
    of_requests: BTreeMap<String, i64>,
}

impl Trail {
    /// From the first row on.
    pub(crate) async fn new(driver: &Driver) -> Trail {
        let database = driver.database().await;
        let last = "SELECT coalesce(max(seq), 0) FROM service_trail";
        let act = sqlx::query_scalar(last).fetch_one(&database).await.unwrap();
        let event = driver.service.app.store().last_event().await.unwrap();
        Trail { database, row: 0, act, event, of_requests: BTreeMap::new() }
    }

    /// The same place in a copy of the database.
    pub(crate) async fn resume(&self, driver: &Driver) -> Trail {
        let of_requests = self.of_requests.clone();
        Trail { database: driver.database().await, of_requests, ..*self }
    }

    /// How many events there are that were not read.
    pub(crate) async fn unread(&self, driver: &Driver) -> usize {
        let store = driver.service.app.store();
        store.events_after(self.event, 1000).await.unwrap().len()
    }

    /// What was written since the last time, at this time, is exactly this.
    pub(crate) async fn has(
        &mut self,
        driver: &Driver,
        model: &Model,
        clock: Clock,
        happened: &[Happened],
    ) {
        let events = self.events(driver.service.app.store()).await;
        let (rows, acts) = (self.rows().await, self.acts().await);
        let (of_requests, of_service): (Vec<&Event>, Vec<&Event>) =
            events.iter().partition(|event| event.request_id.is_some());
        self.matches(driver, model, clock, &of_requests, &rows);
        assert_eq!(of_service.len(), acts.len());
        for (event, (at_ms, actor, action)) in of_service.iter().zip(&acts) {
            assert_eq!((event.time_ms, &event.actor), (*at_ms, actor), "{action}");
        }
        let number = |id: &str| driver.views.iter().position(|view| view["id"] == id);
        let of_requests = of_requests.iter().zip(&rows).map(|(event, row)| Said {
            request: number(event.request_id.as_deref().unwrap()),
            actor: &event.actor,
            action: &row.3,
            event: &event.kind,
        });
        let of_service = of_service.iter().zip(&acts).map(|(event, (_, actor, action))| Said {
            request: None,
            actor,
            action,
            event: &event.kind,
        });
        let mut written: Vec<Said<'_>> = of_requests.chain(of_service).collect();
        let mut expected: Vec<Said<'_>> = happened.iter().map(Said::of).collect();
        written.sort();
        expected.sort();
        assert_eq!(written, expected);
    }

    /// Each event says what its row says, and what the request is.
    fn matches(
        &mut self,
        driver: &Driver,
        model: &Model,
        clock: Clock,
        events: &[&Event],
        rows: &[Row],
    ) {
        assert_eq!(events.len(), rows.len(), "{events:#?} {rows:#?}");
        for (event, (_, at_ms, actor, _, request, jti, detail)) in events.iter().zip(rows) {
            let id = event.request_id.as_ref().unwrap();
            assert_eq!((&event.actor, id, &event.jti), (actor, request, jti));
            assert_eq!((event.time_ms, *at_ms), (clock.believed * 1000, event.time_ms));
            assert_eq!(event.data, serde_json::from_str::<Value>(detail).unwrap());
            let place = self.of_requests.entry(id.clone()).or_default();
            *place += 1;
            assert_eq!(event.request_seq, Some(*place));
            let on = driver.views.iter().position(|view| view["id"] == id.as_str()).unwrap();
            let request = &model.requests[on];
            assert_eq!(event.audience.as_ref(), Some(&request.audience));
            assert_eq!(event.subject.as_ref(), Some(&request.requester));
            assert_eq!(event.incident.as_deref(), request.incident);
            let grant = driver.views[on]["grant"]["id"].as_str();
            assert_eq!(event.jti.as_deref(), grant);
        }
    }

    async fn events(&mut self, store: &Store) -> Vec<Event> {
        let events = store.events_after(self.event, 1000).await.unwrap();
        for event in &events {
            self.event += 1;
            assert_eq!(event.seq, self.event, "no gap");
        }
        assert_eq!(store.last_event().await.unwrap(), self.event);
        events
    }

    async fn rows(&mut self) -> Vec<Row> {
        let query = "SELECT seq, at_ms, actor, action, request_id, jti, detail FROM audit WHERE seq > ?1 ORDER BY seq";
        let rows: Vec<Row> =
            sqlx::query_as(query).bind(self.row).fetch_all(&self.database).await.unwrap();
        self.row = rows.last().map_or(self.row, |row| row.0);
        rows
    }

    async fn acts(&mut self) -> Vec<Act> {
        let query =
            "SELECT seq, at_ms, actor, action FROM service_trail WHERE seq > ?1 ORDER BY seq";
        let acts: Vec<(i64, i64, String, String)> =
            sqlx::query_as(query).bind(self.act).fetch_all(&self.database).await.unwrap();
        self.act = acts.last().map_or(self.act, |act| act.0);
        acts.into_iter().map(|(_, at_ms, actor, action)| (at_ms, actor, action)).collect()
    }
}

/// One thing that happened, as it was written or as it should have been.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Said<'a> {
    request: Option<usize>,
    actor: &'a str,
    action: &'a str,
    event: &'a str,
}

impl<'a> Said<'a> {
    fn of(Happened { request, actor, action, event }: &'a Happened) -> Said<'a> {
        Said { request: *request, actor, action, event }
    }
}

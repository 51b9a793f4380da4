//! The trail, the events and the texts of one request, as the database has them.

use breakglass_server::store::Event;
use breakglass_testing::service::Service;
use serde_json::Value;

/// Its trail, its events, and every text anywhere.
pub(crate) struct Written {
    trail: Vec<(String, String, String)>,
    pub(crate) events: Vec<Event>,
    texts: Vec<String>,
}

impl Written {
    pub(crate) async fn of(service: &Service, id: &str) -> Written {
        let database = service.database().await;
        let query = "SELECT actor, action, detail FROM audit WHERE request_id = ?1 ORDER BY seq";
        let trail: Vec<(String, String, String)> =
            sqlx::query_as(query).bind(id).fetch_all(&database).await.unwrap();
        let events = service.app.store().events_after(0, i64::MAX).await.unwrap();
        let events: Vec<Event> =
            events.into_iter().filter(|event| event.request_id.as_deref() == Some(id)).collect();
        // One for each place where a text can be; the trail and the events say the same, and count as one.
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT coalesce(denial_reason, '') FROM requests WHERE id = ?1
             UNION ALL SELECT coalesce(note, '') FROM approvals WHERE request_id = ?1
             UNION ALL SELECT text FROM discussion WHERE request_id = ?1
             UNION ALL SELECT revocations.reason FROM revocations JOIN requests USING (jti) WHERE id = ?1",
        )
        .bind(id)
        .fetch_all(&database)
        .await
        .unwrap();
        let written = Written { trail, events, texts };
        written.agrees();
        written
    }

    /// The events say what the trail says, in the same order and without a gap.
    fn agrees(&self) {
        assert_eq!(self.trail.len(), self.events.len());
        for (place, (event, (actor, _, detail))) in self.events.iter().zip(&self.trail).enumerate()
        {
            assert_eq!(&event.actor, actor);
            assert_eq!(event.data, serde_json::from_str::<Value>(detail).unwrap());
            assert_eq!(event.request_seq, Some(place as i64 + 1));
        }
        assert!(self.events.is_sorted_by_key(|event| event.seq));
    }

    /// Actor and action of each row.
    pub(crate) fn actions(&self) -> Vec<(String, String)> {
        self.trail.iter().map(|(actor, action, _)| (actor.clone(), action.clone())).collect()
    }

    /// The `reason` of the last row.
    pub(crate) fn last_reason(&self) -> String {
        let (_, _, detail) = self.trail.last().unwrap();
        let detail: Value = serde_json::from_str(detail).unwrap();
        detail["reason"].as_str().unwrap().to_owned()
    }

    /// This text is in the state and on the trail so many times.
    pub(crate) fn says(&self, text: &str, times: usize) {
        let in_state = self.texts.iter().filter(|one| one.contains(text)).count();
        let on_trail = self.trail.iter().filter(|(_, _, detail)| detail.contains(text)).count();
        assert_eq!((in_state, on_trail), (times, times), "{text}");
    }
}

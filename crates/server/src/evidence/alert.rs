//! One alert: as it comes, as it is read, and which of them are counted together.

use breakglass_api::alerts::{Alert, AlertData, DROPPED, TYPE_PREFIX};
use breakglass_types::alerts::{AlertKind, Class};

use crate::clock::{Moment, written};

/// The word for all kinds that are not known here: they are counted as one, so that made-up kinds gain nothing.
const OTHER: &str = "other";

/// An alert that is about to be kept.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// What it is about, as the proxy wrote it.
    pub kind: String,
    /// Who causes it.
    pub class: Class,
    /// What else has to be the same for two of one kind to be counted as one alert.
    pub merges: String,
    /// The grant that it names.
    pub grant: Option<String>,
    /// How many things it stands for.
    pub count: i64,
    /// What is said of it.
    pub data: AlertData,
}

/// An alert as it is kept. What is said of it stays as it came.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct StoredAlert {
    /// Its place: alerts that come later have higher ones.
    pub place: i64,
    /// Its id, for good.
    pub id: String,
    /// When it came, in milliseconds.
    #[sqlx(rename = "at_ms")]
    pub time_ms: i64,
    /// When the last one came that is counted with it, in milliseconds.
    pub seen_ms: i64,
    /// What it is about.
    pub kind: String,
    /// Whether it is for a human: decided when it came.
    pub page: bool,
    /// How many things it stands for, so far.
    pub count: i64,
    /// What is said of it: the `data` of its event.
    #[sqlx(json)]
    pub body: AlertData,
}

impl StoredAlert {
    /// As it is answered.
    #[must_use]
    pub fn into_view(self) -> Alert {
        Alert {
            kind: self.event_type(),
            place: self.place,
            id: self.id,
            at: written(Moment::from_millis(self.time_ms)),
            seen_at: written(Moment::from_millis(self.seen_ms)),
            page: self.page,
            count: self.count,
            data: self.body,
        }
    }

    /// The type of its event, such as `breakglass.alert.out_of_scope`.
    #[must_use]
    pub fn event_type(&self) -> String {
        format!("{TYPE_PREFIX}{}", self.kind)
    }
}

/// The word under which a kind is counted: its own, or one for all that are not known.
#[must_use]
pub fn counted_as(kind: &str) -> &'static str {
    match AlertKind::from_word(kind) {
        Some(kind) => kind.word(),
        None if kind == DROPPED => DROPPED,
        None => OTHER,
    }
}

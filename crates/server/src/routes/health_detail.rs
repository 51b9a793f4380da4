//! What an auditor is told of the service's health: `GET /healthz?detail=1`.

use serde_json::{Value, json};

use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::timekeeper::Doubt;

pub(super) fn of(app: &App) -> Value {
    json!({ "status": "ok", "clock": clock(app), "configuration": app.reloads().view() })
}

fn clock(app: &App) -> Value {
    let reading = app.timekeeper().reading();
    let at = |moment: Moment| rfc3339(moment.seconds());
    let state = match reading.doubt {
        None => "believed",
        Some(Doubt::Stepped { .. }) => "stepped",
        Some(Doubt::Unknown) => "unknown",
    };
    let ahead = reading.wall.map(|wall| wall.millis().saturating_sub(reading.believed.millis()));
    json!({
        "state": state,
        "wall": reading.wall.map(at),
        "believed": at(reading.believed),
        "floor": at(reading.floor),
        "ahead_s": ahead.map(|millis| millis.div_euclid(1000)),
        "since": app.timekeeper().doubted_since().map(at),
        "steps": app.timekeeper().steps(),
    })
}

//! What an auditor is told of the service's health: `GET /healthz?detail=1`.

use breakglass_api::health::{ClockHealth, ClockState, Health};

use crate::app::App;
use crate::clock::written;
use crate::timekeeper::Doubt;

pub(super) fn of(app: &App) -> Health {
    let configuration = Some(app.reloads().view());
    let tls = app.tls().iter().map(|endpoint| endpoint.health()).collect();
    Health { status: "ok".to_owned(), clock: Some(clock(app)), configuration, tls }
}

fn clock(app: &App) -> ClockHealth {
    let reading = app.timekeeper().reading();
    let state = match reading.doubt {
        None => ClockState::Believed,
        Some(Doubt::Stepped { .. }) => ClockState::Stepped,
        Some(Doubt::Unknown) => ClockState::Unknown,
    };
    let ahead = reading.wall.map(|wall| wall.millis().saturating_sub(reading.believed.millis()));
    ClockHealth {
        state: state.into(),
        wall: reading.wall.map(written),
        believed: written(reading.believed),
        floor: written(reading.floor),
        ahead_s: ahead.map(|millis| millis.div_euclid(1000)),
        since: app.timekeeper().doubted_since().map(written),
        steps: app.timekeeper().steps(),
    }
}

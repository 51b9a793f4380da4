//! What an auditor is told of the service's health: `GET /healthz?detail=1`.

use breakglass_api::Instant;
use breakglass_api::deliveries::{Circuit, Sink};
use breakglass_api::health::{ClockHealth, ClockState, Health, KeySwitchHealth, UntoldHead};

use crate::app::App;
use crate::clock::written;
use crate::key_switch::{self, HeldUp};
use crate::timekeeper::Doubt;
use crate::untold_heads::Untold;

/// The most proxies that are named.
const NAMED: usize = 20;

pub(super) async fn of(app: &App) -> Health {
    let configuration = Some(app.reloads().view());
    let tls = app.tls().iter().map(|endpoint| endpoint.health()).collect();
    let (mut key_switch, mut audience_key_switches) = (None, Vec::new());
    for ring in app.issuer().rings().all() {
        let held = key_switch::held_up(app, ring, app.now());
        match (held, ring.audience()) {
            (Some(held), None) => key_switch = Some(switch(held, None)),
            (Some(held), audience) => audience_key_switches.push(switch(held, audience)),
            (None, _) => {}
        }
    }
    Health {
        status: "ok".to_owned(),
        clock: Some(clock(app)),
        configuration,
        tls,
        key_switch,
        audience_key_switches,
        untold_heads: untold_heads(app),
        held_ends: app.held_ends().all().into_iter().map(super::held_ends::view).collect(),
        sinks: sinks(app).await,
    }
}

/// The sinks that need a person. A database of deliveries that cannot be read is said in the log.
async fn sinks(app: &App) -> Vec<Sink> {
    let mut sinks = super::deliveries::sinks(app).await.unwrap_or_default();
    sinks.retain(|sink| sink.circuit != Circuit::Closed || sink.dead > 0);
    sinks
}

fn untold_heads(app: &App) -> Vec<UntoldHead> {
    let places = app.untold_heads().all().into_iter();
    let health = |(place, untold): (&str, Untold)| UntoldHead {
        place: place.to_owned(),
        since: written(untold.since),
        error: untold.error,
    };
    places.map(health).collect()
}

fn switch(held: HeldUp, audience: Option<&str>) -> KeySwitchHealth {
    let HeldUp { key, lacking, is_starting } = held;
    let named = lacking.iter().take(NAMED).map(|(proxy, node)| format!("{node} ({proxy})"));
    KeySwitchHealth {
        audience: audience.map(str::to_owned),
        since: Instant::from_seconds(key.begins()),
        kid: key.kid,
        starting: is_starting,
        lacking: u64::try_from(lacking.len()).unwrap_or(u64::MAX),
        proxies: named.collect(),
    }
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

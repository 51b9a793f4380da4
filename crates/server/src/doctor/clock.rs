//! The clock of this machine, against what was written by it.

use super::keys;
use super::report::{Finding, Report};
use crate::clock::{Moment, rfc3339};
use crate::config::Config;
use crate::limits::MAX_CLOCK_STEP_S;

/// `last_event` is the time of the last event of the database, where it could be read.
pub(super) fn look(config: &Config, now: Moment, last_event: Option<Moment>, report: &mut Report) {
    let fix = "set the clock: `timedatectl set-ntp true`, or `chronyc makestep`; where it is right now and was ahead \
               before, start the service once with `--accept-clock`";
    if let Some(event) = last_event {
        let what = format!("the last event of the database is of {}", rfc3339(event.seconds()));
        report.checked(ahead(event.seconds(), now).map(|by| Finding::new(behind(&what, &by), fix)));
    }
    for (what, made_at) in keys::made(config) {
        let what = format!("the signing key {what}");
        report.checked(ahead(made_at, now).map(|by| Finding::new(behind(&what, &by), fix)));
    }
    report.note(
        "whether NTP keeps the clock of this machine is not known here: `timedatectl show -p NTPSynchronized` says it",
    );
}

fn behind(what: &str, by: &str) -> String {
    format!("the clock of this machine went back: {what}, {by} from now")
}

/// How far `then` is ahead of now, where it is further than the service takes.
fn ahead(then: i64, now: Moment) -> Option<String> {
    let by = then.saturating_sub(now.seconds());
    (by > MAX_CLOCK_STEP_S).then(|| crate::duration::format(by))
}

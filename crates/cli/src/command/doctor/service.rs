//! What the running service says.

use breakglass_server::clock::{Clock as _, SystemClock};
use breakglass_server::doctor::{Finding, Report};
use breakglass_server::duration;
use breakglass_server::limits::MAX_CLOCK_STEP_S;
use breakglass_server::reload::ConfigFile;

use super::{proxies, scopes};
use crate::answer::{Proxies, Whole};
use crate::client::{Client, Failure, Settings};

pub(super) fn look(settings: &Settings, file: Option<&ConfigFile>, report: &mut Report) {
    let client = match Client::new(settings) {
        Ok(client) => client,
        Err(failure) => return report.not_checked("the running service", failure.to_string()),
    };
    clock(&client, report);
    let answer: Result<Whole<Proxies>, Failure> = client.get("/v1/proxies");
    match answer {
        Ok(answer) => proxies::look(&answer.body, file, report),
        Err(failure) => report.not_checked("proxies", failure.to_string()),
    }
    if let Some(file) = file {
        scopes::look(&client, file, report);
    }
}

/// The service's clock against the one of this machine.
fn clock(client: &Client, report: &mut Report) {
    let what = "the clock of the service";
    let date = match client.date() {
        Ok(Some(date)) => date,
        Ok(None) => return report.not_checked(what, "its answer has no `Date`"),
        Err(failure) => return report.not_checked(what, failure.to_string()),
    };
    let Ok(now) = SystemClock.now() else {
        return report.not_checked(what, "the clock of this machine tells nothing");
    };
    let apart = date.seconds().abs_diff(now.seconds());
    let apart = i64::try_from(apart).unwrap_or(i64::MAX);
    // `Date` has whole seconds.
    report.checked((apart > MAX_CLOCK_STEP_S).then(|| {
        let side = if date > now { "ahead of" } else { "behind" };
        Finding::new(
            format!(
                "the clock of the service is {} {side} the one of this machine",
                duration::format(apart)
            ),
            "set the one that is wrong: `timedatectl set-ntp true` on its machine",
        )
    }));
}

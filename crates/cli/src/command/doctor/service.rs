//! What the running service says.

use breakglass_server::clock::{Clock as _, SystemClock};
use breakglass_server::doctor::{Finding, Report};
use breakglass_server::duration;
use breakglass_server::limits::MAX_CLOCK_STEP_S;
use breakglass_server::reload::ConfigFile;

use super::{proxies, scopes};
use crate::answer::{Circuit, Health, Proxies, Sink, UntoldHead, Whole, one_line};
use crate::client::{Client, Failure, Settings};

pub(super) fn look(settings: &Settings, file: Option<&ConfigFile>, report: &mut Report) {
    let client = match Client::new(settings) {
        Ok(client) => client,
        Err(failure) => return report.not_checked("the running service", failure.to_string()),
    };
    clock(&client, report);
    untold_heads(&client, report);
    let answer: Result<Whole<Proxies>, Failure> = client.get("/v1/proxies");
    match answer {
        Ok(answer) => proxies::look(&answer.body, file, report),
        Err(failure) => report.not_checked("proxies", failure.to_string()),
    }
    if let Some(file) = file {
        scopes::look(&client, file, report);
    }
}

/// Which places of `trail_heads` do not take the head of the trail.
fn untold_heads(client: &Client, report: &mut Report) {
    let what = "whether the heads of the trail are handed over";
    let health: Whole<Health> = match client.get("/healthz?detail=1") {
        Ok(health) => health,
        Err(failure) => return report.not_checked(what, failure.to_string()),
    };
    // Who may not know is told the status alone.
    if health.body.clock.is_none() {
        let why = "the service does not show it to this API token: take an auditor's";
        return report.not_checked(what, why);
    }
    report.checked(health.body.untold_heads.iter().map(untold));
    report.checked(health.body.sinks.iter().flat_map(sink));
}

/// A sink at which attempts fail, or that has dead letters.
fn sink(sink: &Sink) -> Vec<Finding> {
    let name = one_line(&sink.name);
    let mut findings = Vec::new();
    if sink.circuit.known() != Some(Circuit::Closed) {
        let error = sink.error.as_deref().map(one_line).unwrap_or_default();
        findings.push(Finding::new(
            format!("sinks ({name}): attempts fail, and {} deliveries wait: {error}", sink.waiting),
            "see that its address, its files of secrets and `ca_file` are right, and that it can be reached from the \
             service's machine: what waits is delivered then, within `retry_for`",
        ));
    }
    if sink.dead > 0 {
        findings.push(Finding::new(
            format!("sinks ({name}): {} deliveries were given up in the last 30 days", sink.dead),
            format!(
                "`breakglass events list --sink {name} --state dead` says why, and `breakglass events replay ID` delivers one \
                 again"
            ),
        ));
    }
    findings
}

fn untold(UntoldHead { place, since, error }: &UntoldHead) -> Finding {
    let fix = match place.as_str() {
        "file" => {
            "let the service's user append to the file of `trail_heads.file`, and make room on its disk; or name another \
             file, and reload"
        }
        "url" => {
            "see that what `trail_heads.url` names answers a `PUT` with 2xx, and that `token_file` and `ca_file` are right"
        }
        _ => {
            "see in the service's log why the database cannot be read: `breakglass database check`"
        }
    };
    Finding::new(
        format!(
            "trail_heads ({}): the head of the trail is not handed over since {}: {}; what is cut off at the end of the \
             trail meanwhile is not found",
            one_line(place),
            since.text(),
            one_line(error)
        ),
        fix,
    )
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

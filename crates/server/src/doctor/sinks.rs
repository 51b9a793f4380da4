//! The sinks, and the hooks for rotations: whether each has what it needs to be told of something. Nothing is sent.

use super::report::{Finding, Report};
use crate::clock::Moment;
use crate::config::Config;
use crate::sinks::{Event, For, Notice, prepare, prepare_hook};

pub(super) fn look(config: &Config, now: Moment, report: &mut Report) {
    let notice = Notice::example("breakglass.request.submitted", now);
    let (source, purpose) = (&config.issuer, For::Sending);
    let event = Event { notice: &notice, source, now, purpose, to: None };
    for sink in &config.sinks {
        report.checked(prepare(sink, event).err().map(|cause| {
            Finding::new(
                format!("sinks ({}): {cause}", sink.name),
                "put what is expected into this file, readable for the service's user; it is read at each delivery",
            )
        }));
    }
    for hook in &config.rotations {
        report.checked(prepare_hook(hook, event).err().map(|cause| {
            Finding::new(
                format!("rotations ({}): {cause}", hook.name),
                "put what is expected into this file, readable for the service's user; it is read at each call",
            )
        }));
    }
}

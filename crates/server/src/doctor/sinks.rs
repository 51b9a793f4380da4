//! The sinks: whether each has what it needs to be told of something. Nothing is sent.

use super::report::{Finding, Report};
use crate::clock::Moment;
use crate::config::Config;
use crate::sinks::{Event, For, Notice, prepare};

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
}

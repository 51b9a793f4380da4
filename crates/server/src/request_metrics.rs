//! What is counted of requests and grants: how long requesters waited, and how grants ended.
//!
//! Waits are between times of the database, in seconds: they are true across restarts.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// The bounds of waits, in seconds: half a minute is an approver at the keyboard, a day an approver in another time zone.
const WAITS: [f64; 12] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0];

/// The counters.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    first_answer: HistogramVec,
    approval: HistogramVec,
    activation: HistogramVec,
    revoked: IntCounterVec,
}

/// What a requester has waited for, since the submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The first question, approval or denial.
    FirstAnswer,
    /// The approval.
    Approval,
    /// The first token.
    Activation,
}

/// How a grant was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RevokedBy {
    /// Its holder gave it back.
    Holder,
    /// Another person revoked this grant.
    Person,
    /// The kill switch.
    KillSwitch,
    /// Its holder has left, or has lost a group.
    HolderLeft,
    /// Its incident is closed, or was not a good one.
    IncidentOver,
}

impl RevokedBy {
    const ALL: [RevokedBy; 5] = [
        RevokedBy::Holder,
        RevokedBy::Person,
        RevokedBy::KillSwitch,
        RevokedBy::HolderLeft,
        RevokedBy::IncidentOver,
    ];

    fn word(self) -> &'static str {
        match self {
            RevokedBy::Holder => "given_back",
            RevokedBy::Person => "revoked",
            RevokedBy::KillSwitch => "kill_switch",
            RevokedBy::HolderLeft => "holder_left",
            RevokedBy::IncidentOver => "incident_over",
        }
    }
}

impl RequestMetrics {
    /// All counters, at nothing.
    pub(crate) fn register(registry: &Registry) -> Result<RequestMetrics, prometheus::Error> {
        let waits = |name: &str, help: &str| {
            let options = HistogramOpts::new(name, help).buckets(WAITS.to_vec());
            let waits = HistogramVec::new(options, &["emergency"])?;
            registry.register(Box::new(waits.clone()))?;
            // So that the first one counts as an increase.
            for emergency in ["true", "false"] {
                waits.with_label_values(&[emergency]);
            }
            Ok::<_, prometheus::Error>(waits)
        };
        let first_answer = waits(
            "breakglass_request_first_answer_seconds",
            "From the submission of a request to the first question, approval or denial, by whether it is an emergency.",
        )?;
        let approval = waits(
            "breakglass_request_approval_seconds",
            "From the submission of a request to its approval, by whether it is an emergency.",
        )?;
        let activation = waits(
            "breakglass_request_activation_seconds",
            "From the submission of a request to the first token, by whether it is an emergency.",
        )?;
        let revoked = IntCounterVec::new(
            Opts::new(
                "breakglass_grants_revoked_total",
                "Grants revoked, by how: given_back (by the holder), revoked (by another person), kill_switch (with others \
                 that matched), holder_left (the holder has left, or has lost a group), or incident_over (the incident is closed, or \
                 was no good one).",
            ),
            &["how"],
        )?;
        registry.register(Box::new(revoked.clone()))?;
        for how in RevokedBy::ALL {
            revoked.with_label_values(&[how.word()]);
        }
        Ok(RequestMetrics { first_answer, approval, activation, revoked })
    }

    /// A requester has waited so many seconds.
    pub(crate) fn waited(&self, waited: Waited, emergency: bool, seconds: i64) {
        let waits = match waited {
            Waited::FirstAnswer => &self.first_answer,
            Waited::Approval => &self.approval,
            Waited::Activation => &self.activation,
        };
        let emergency = if emergency { "true" } else { "false" };
        // A clock that was set back makes no wait negative; more than a century is none.
        let seconds = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
        waits.with_label_values(&[emergency]).observe(f64::from(seconds));
    }

    /// So many grants were revoked.
    pub(crate) fn revoked(&self, how: RevokedBy, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.revoked.with_label_values(&[how.word()]).inc_by(count);
    }
}

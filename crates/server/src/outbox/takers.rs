//! To whom an event goes: each sink that takes it, and where a sink writes to people, the people it concerns.
//!
//! 1. Of a request that waits for an answer, those who may give it now: the approvers that are known by name. An emergency goes
//!    to every known member of each group that its rules name. Where others had to approve before them, they hear of it when
//!    those have.
//!    The members of the groups to which a request is escalated hear of it at that moment, and so does its requester.
//!    Of one that its requester took alone they hear that it was taken.
//! 2. Of all else that happens to a request or its grant, the requester.
//! 3. Of the review of a used grant, those who may sign it, and administrators where it is certain that no person may; of what
//!    became of it, the requester, and the approvers too where it is disputed.
//! 4. Never the person who did it, and of a request that waits never its requester, in whatever spelling of the name.
//! 5. Only those whose address is known ([`People::address`](crate::config::People::address)) and who did not ask for no mail.
//!
//! The same is asked once more when the letter is sent: what a person may not hear any more is not sent.

use std::collections::BTreeSet;

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use breakglass_audit::folded::Folded;
use lettre::Address;
use serde_json::Value;

use super::reviewers::told_of_review;
use super::waiting::waiting;
use crate::access::Directory as _;
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, Sink};
use crate::needed::Needed;
use crate::sinks::notice::Asked;
use crate::sinks::{self, Notice};
use crate::store::StoreError;

/// One that an event goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Taker {
    /// The sink.
    pub(super) sink: String,
    /// The person that it writes to; empty where it does not write to people.
    pub(super) person: String,
}

/// All that an event goes to.
#[derive(Debug, Default)]
pub(super) struct Takers {
    /// These.
    pub(super) takers: Vec<Taker>,
    /// Whether one of them tells an approver; nothing where the configuration has no sink that does.
    pub(super) is_told: Option<bool>,
}

/// Why a letter to a person is not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAddressed {
    /// For one of these reasons.
    #[error("not sent: {0}")]
    Person(&'static str),
    /// It cannot be said now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All that an event goes to.
pub(super) async fn takers(app: &App, notice: &Notice) -> Result<Takers, StoreError> {
    let config = app.config();
    let mut takers = expected(&config, notice);
    let people: BTreeSet<&str> = takers.iter().map(|one| one.person.as_str()).collect();
    let people: Vec<&str> = people.into_iter().filter(|name| !name.is_empty()).collect();
    if !people.is_empty() {
        let declined = app.store().want_no_mail(&people).await?;
        takers.retain(|taker| !declined.contains(&taker.person));
    }
    let tells = |taker: &Taker| config.sink(&taker.sink).is_some_and(Sink::tells_approvers);
    let is_told = config.tells_approvers().then(|| takers.iter().any(tells));
    Ok(Takers { takers, is_told })
}

/// The same, whatever people said of mail.
pub(super) fn expected(config: &Config, notice: &Notice) -> Vec<Taker> {
    let mut takers = Vec::new();
    let mut people: Option<Vec<String>> = None;
    for sink in config.sinks.iter().filter(|sink| takes(config, sink, notice)) {
        if !sink.writes_to_people() {
            takers.push(Taker { sink: sink.name.clone(), person: String::new() });
            continue;
        }
        let people = people.get_or_insert_with(|| {
            let concerned = concerned(config, notice).into_iter();
            concerned.filter(|name| config.people.address(name).is_some()).collect()
        });
        let taker = |person: &String| Taker { sink: sink.name.clone(), person: person.clone() };
        takers.extend(people.iter().map(taker));
    }
    takers
}

/// Whether this sink takes it. That no approver was reached is no news for the channel that did not reach them.
fn takes(config: &Config, sink: &Sink, notice: &Notice) -> bool {
    let groups = &sink.filter.approver_groups;
    let is_of_groups = || {
        needed(config, notice)
            .is_some_and(|needed| needed.needs.groups().any(|group| groups.contains(group)))
    };
    let is_unreached = EventType::of(&notice.kind) == Some(EventType::Unreached);
    sinks::takes(sink, notice) && (groups.is_empty() || !is_unreached && is_of_groups())
}

/// What the request needs that it is about, as it was when the event was read.
fn needed(config: &Config, notice: &Notice) -> Option<Needed> {
    needed_with(config, notice, notice.to_approve.approvals.len())
}

/// The same with the first of its approvals alone, so many.
fn needed_with(config: &Config, notice: &Notice, approvals: usize) -> Option<Needed> {
    let at = Moment::from_millis(notice.time_ms);
    Some(waiting(notice, approvals)?.needed(config, config, at))
}

/// The people whose approval counts after so many approvals.
fn open(config: &Config, notice: &Notice, asked: &Asked, approvals: usize) -> Vec<String> {
    let needed = needed_with(config, notice, approvals);
    let open = needed.map(|needed| needed.open_to(config, &asked.requester));
    open.map(|open| open.names().to_vec()).unwrap_or_default()
}

/// The people whom an event concerns, each once.
fn concerned(config: &Config, notice: &Notice) -> Vec<String> {
    let Some(asked) = &notice.asked else { return Vec::new() };
    let approvals = notice.to_approve.approvals.len();
    match EventType::of(&notice.kind) {
        // They are told that it was taken.
        Some(EventType::Submitted) if notice.is_taken_alone() => Vec::new(),
        Some(EventType::EmergencyTaken) => members(config, notice, asked),
        Some(EventType::Submitted | EventType::Answered) if asked.emergency => {
            members(config, notice, asked)
        }
        Some(EventType::Submitted | EventType::Answered) => open(config, notice, asked, approvals),
        Some(EventType::Escalated) => {
            let is_asked = |name: &String| {
                escalated_to(notice).any(|group| config.is_member(name, group).is_yes())
            };
            let open = open(config, notice, asked, approvals).into_iter();
            open.filter(is_asked).chain([asked.requester.clone()]).collect()
        }
        Some(EventType::PartlyApproved) => {
            // Those who have had to wait for others, and the requester.
            let before = open(config, notice, asked, approvals.saturating_sub(1));
            let now = open(config, notice, asked, approvals).into_iter();
            now.filter(|name| !before.contains(name)).chain([asked.requester.clone()]).collect()
        }
        Some(
            EventType::ReviewOwed
            | EventType::ReviewOverdue
            | EventType::ReviewSigned
            | EventType::ReviewDisputed,
        ) => told_of_review(config, notice, asked),
        _ => {
            let of_request = ["breakglass.request.", "breakglass.grant."]
                .iter()
                .any(|one| notice.kind.starts_with(one));
            match of_request && notice.actor != asked.requester {
                true => vec![asked.requester.clone()],
                false => Vec::new(),
            }
        }
    }
}

/// The groups to which the event says that the request is escalated.
fn escalated_to(notice: &Notice) -> impl Iterator<Item = &str> {
    let groups = notice.data.get("to").and_then(Value::as_array);
    groups.into_iter().flatten().filter_map(Value::as_str)
}

/// The known members of each group that the request's rules name, but the requester.
fn members(config: &Config, notice: &Notice, asked: &Asked) -> Vec<String> {
    let requester = Folded::new(&asked.requester);
    let needed = needed(config, notice);
    let groups: BTreeSet<&String> =
        needed.iter().flat_map(|needed| needed.needs.groups()).collect();
    let members = groups.into_iter().flat_map(|group| config.people.members(group).0);
    let others =
        members.filter(|name| !requester.is(name) && !config.may_be_one(&asked.requester, name));
    others.collect::<BTreeSet<String>>().into_iter().collect()
}

/// Where a letter of this event to this person is sent, as it is now.
pub(super) async fn address(
    app: &App,
    notice: &Notice,
    person: &str,
) -> Result<Address, NotAddressed> {
    let config = app.config();
    if !concerned(&config, notice).iter().any(|name| name == person) {
        return Err(NotAddressed::Person("the event does not concern this person any more"));
    }
    let Some(address) = config.people.address(person) else {
        return Err(NotAddressed::Person("no verified address of this person is known any more"));
    };
    match app.store().want_no_mail(&[person]).await?.is_empty() {
        true => Ok(address),
        false => Err(NotAddressed::Person("this person asked for no mail")),
    }
}

//! How many of those who may approve a request were reached, of how many who are known. Pure: what is known of them and of the
//! deliveries of the submission in, the counts out.

use std::collections::BTreeSet;

use breakglass_api::told::{ChannelState, MembersKnown, Told, ToldChannel};

use super::list::Delivered;
use crate::access::{Approvers, Directory as _};
use crate::config::{Config, Sink};

/// Counts the approvers of a request, which its rules name by these groups.
pub(super) fn told(
    config: &Config,
    approvers: &Approvers,
    groups: &BTreeSet<&String>,
    deliveries: &[Delivered],
) -> Told {
    let channels: Vec<Channel<'_>> = deliveries
        .iter()
        .filter(|one| one.person.is_empty())
        .filter_map(|one| Some(Channel { sink: channel(config, &one.sink)?, state: one.state }))
        .filter(|one| one.groups().any(|group| groups.contains(group)))
        .collect();
    let by_channel = |person: &str, state: ChannelState| {
        let is_in =
            |group: &String| groups.contains(group) && config.is_member(person, group).is_yes();
        channels.iter().any(|one| one.state == state && one.groups().any(is_in))
    };
    let is = |person: &str, state: ChannelState| {
        deliveries.iter().any(|one| one.person == person && one.state == state)
            || by_channel(person, state)
    };
    let (mut reached, mut waiting) = (0_u64, 0_u64);
    for name in approvers.names() {
        if is(name, ChannelState::Delivered) {
            reached = reached.saturating_add(1);
        } else if is(name, ChannelState::Waiting) {
            waiting = waiting.saturating_add(1);
        }
    }
    let members = match approvers {
        Approvers::Complete(_) => MembersKnown::Complete,
        Approvers::Seen(_) => MembersKnown::Seen,
        Approvers::Unknown => MembersKnown::Unknown,
    };
    Told {
        members: members.into(),
        known: u64::try_from(approvers.names().len()).unwrap_or(u64::MAX),
        reached,
        waiting,
        channels: channels.iter().map(Channel::view).collect(),
    }
}

/// The channel of groups that took the message, or is to.
struct Channel<'a> {
    sink: &'a Sink,
    state: ChannelState,
}

impl<'a> Channel<'a> {
    fn groups(&self) -> impl Iterator<Item = &'a String> {
        self.sink.filter.approver_groups.iter()
    }

    fn view(&self) -> ToldChannel {
        ToldChannel { sink: self.sink.name.clone(), state: self.state.into() }
    }
}

/// The sink with this name, if it is a channel.
fn channel<'a>(config: &'a Config, name: &str) -> Option<&'a Sink> {
    config.sink(name).filter(|sink| sink.is_channel())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        issuer = "https://approvals.test"
        database = "d"
        key_directory = "k"
        [[people]]
        name = "al"
        groups = ["leads", "dbas"]
        token_sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
        [[people]]
        name = "bo"
        groups = ["leads"]
        token_sha256 = "0000000000000000000000000000000000000000000000000000000000000002"
        [[people]]
        name = "cy"
        groups = ["others"]
        token_sha256 = "0000000000000000000000000000000000000000000000000000000000000003"
        [[scopes]]
        name = "orders"
        audience = "prod"
        requesters = ["others"]
        approvers = ["leads", "dbas"]
        max_duration = "1h"
        [[sinks]]
        name = "leads"
        type = "slack"
        url_file = "/x"
        approver_groups = ["leads"]
        [[sinks]]
        name = "dbas"
        type = "slack"
        url_file = "/x"
        approver_groups = ["dbas", "others"]
        [[sinks]]
        name = "others"
        type = "slack"
        url_file = "/x"
        approver_groups = ["others"]
        [[sinks]]
        name = "siem"
        type = "slack"
        url_file = "/x"
        [[sinks]]
        name = "people"
        type = "mail"
        host = "mail.test"
        from = "b@corp.example"
        to_people = true
    "#;

    /// The counts and the channels, of deliveries that are written `SINK[/PERSON] STATE`.
    fn counts(approvers: &Approvers, deliveries: &[&str]) -> (u64, u64, u64, Vec<String>) {
        let config = Config::parse(CONFIG).unwrap();
        let delivered = deliveries.iter().map(|text| {
            let (to, state) = text.split_once(' ').unwrap();
            let (sink, person) = to.split_once('/').unwrap_or((to, ""));
            let state = match state {
                "delivered" => ChannelState::Delivered,
                "waiting" => ChannelState::Waiting,
                _ => ChannelState::Failed,
            };
            Delivered { sink: sink.to_owned(), person: person.to_owned(), state }
        });
        let delivered: Vec<Delivered> = delivered.collect();
        let groups = ["leads".to_owned(), "dbas".to_owned()];
        let told = told(&config, approvers, &groups.iter().collect(), &delivered);
        let channels = told.channels.iter().map(|one| format!("{} {}", one.sink, one.state.word()));
        (told.known, told.reached, told.waiting, channels.collect())
    }

    #[test]
    fn a_person_is_reached_by_a_letter_or_by_the_channel_of_a_group_of_theirs() {
        let two = Approvers::Complete(vec!["al".to_owned(), "bo".to_owned()]);
        for (deliveries, expected, channels) in [
            (vec![], (2, 0, 0), vec![]),
            (vec!["people/al delivered"], (2, 1, 0), vec![]),
            (vec!["people/al delivered", "people/bo waiting"], (2, 1, 1), vec![]),
            (vec!["people/al failed", "people/bo failed"], (2, 0, 0), vec![]),
            // Both are leads, one is a dba.
            (vec!["leads delivered"], (2, 2, 0), vec!["leads delivered"]),
            (vec!["dbas delivered"], (2, 1, 0), vec!["dbas delivered"]),
            (
                vec!["leads waiting", "dbas delivered"],
                (2, 1, 1),
                vec!["leads waiting", "dbas delivered"],
            ),
            (vec!["leads failed", "people/bo delivered"], (2, 1, 0), vec!["leads failed"]),
            // By either it is once.
            (vec!["leads delivered", "people/bo delivered"], (2, 2, 0), vec!["leads delivered"]),
            (vec!["leads waiting", "people/bo delivered"], (2, 1, 1), vec!["leads waiting"]),
            // A sink of no group is no channel, nor is one of another group, nor one that is gone; and the letter to a person
            // who is no approver reaches none.
            (vec!["siem delivered", "gone delivered"], (2, 0, 0), vec![]),
            (vec!["others delivered"], (2, 0, 0), vec![]),
            (vec!["people/cy delivered"], (2, 0, 0), vec![]),
        ] {
            let (known, reached, waiting, seen) = counts(&two, &deliveries);
            assert_eq!((known, reached, waiting), expected, "{deliveries:?}");
            assert_eq!(seen, channels, "{deliveries:?}");
        }
    }

    #[test]
    fn where_no_person_is_known_the_channels_are_all_there_is() {
        let counted = counts(&Approvers::Unknown, &["leads delivered", "dbas waiting"]);
        let channels = ["leads delivered", "dbas waiting"].map(str::to_owned).to_vec();
        assert_eq!(counted, (0, 0, 0, channels));
        let seen = Approvers::Seen(vec!["corp:x".to_owned()]);
        assert_eq!(counts(&seen, &["leads delivered"]).1, 0, "not known to be in the group");
        assert_eq!(counts(&seen, &["people/corp:x delivered"]).1, 1);
    }
}

//! Whether approvers were told of a request that was submitted.

use breakglass_api::told::{ChannelState, MembersKnown, Told};

use crate::answer::{Request, one_line};
use crate::terminal::Terminal;

/// Says it in one line; of a service that does not say it, nothing.
pub(super) fn note(request: &Request, terminal: Terminal) {
    let Some(told) = &request.told else { return };
    match told.is_any_reached() {
        true => terminal.note(&reached(told)),
        false => terminal.alarm(&unreached(told, &request.id)),
    }
}

fn reached(told: &Told) -> String {
    let took = told.channels.iter().filter(|one| one.state == ChannelState::Delivered);
    let took = took.map(|one| one.sink.as_str()).collect::<Vec<_>>().join(", ");
    if told.known == 0 {
        return one_line(&format!("Told: members unknown; {took} took it."));
    }
    let known = match told.members.known() {
        Some(MembersKnown::Complete) => "approvers",
        _ => "known approvers",
    };
    let by = if took.is_empty() { took } else { format!(" (by {took})") };
    let waiting = match told.waiting {
        0 => String::new(),
        waiting => format!(", {waiting} still tried"),
    };
    one_line(&format!("Told: {} of {} {known}{by}{waiting}.", told.reached, told.known))
}

fn unreached(told: &Told, id: &str) -> String {
    let is_tried =
        told.waiting > 0 || told.channels.iter().any(|one| one.state == ChannelState::Waiting);
    let tried = if is_tried { " (the service still tries)" } else { "" };
    format!(
        "No approver was reached{tried}: give an approver this command yourself: breakglass approve {id}"
    )
}

#[cfg(test)]
mod tests {
    use breakglass_api::told::ToldChannel;

    use super::*;

    fn told(
        members: MembersKnown,
        (reached, known, waiting): (u64, u64, u64),
        channels: &[(&str, ChannelState)],
    ) -> Told {
        let channel = |(sink, state): &(&str, ChannelState)| ToldChannel {
            sink: (*sink).to_owned(),
            state: (*state).into(),
        };
        let channels = channels.iter().map(channel).collect();
        Told { members: members.into(), known, reached, waiting, channels }
    }

    #[test]
    fn it_says_how_many_of_how_many_and_by_which_channels() {
        use ChannelState::{Delivered, Failed, Waiting};
        for (told, expected) in [
            (
                told(
                    MembersKnown::Complete,
                    (3, 4, 0),
                    &[("oncall", Delivered), ("leads", Delivered), ("dbas", Failed)],
                ),
                "Told: 3 of 4 approvers (by oncall, leads).",
            ),
            (
                told(MembersKnown::Complete, (1, 2, 1), &[]),
                "Told: 1 of 2 approvers, 1 still tried.",
            ),
            (told(MembersKnown::Seen, (2, 2, 0), &[]), "Told: 2 of 2 known approvers."),
            (
                told(MembersKnown::Unknown, (0, 0, 0), &[("oncall", Delivered), ("x", Waiting)]),
                "Told: members unknown; oncall took it.",
            ),
        ] {
            assert_eq!(reached(&told), expected);
        }
        let nothing = told(MembersKnown::Complete, (0, 2, 0), &[]);
        assert_eq!(
            unreached(&nothing, "req_1"),
            "No approver was reached: give an approver this command yourself: breakglass approve req_1"
        );
        let down = told(MembersKnown::Unknown, (0, 0, 0), &[("oncall", Waiting)]);
        assert_eq!(
            unreached(&down, "req_1"),
            "No approver was reached (the service still tries): give an approver this command yourself: \
             breakglass approve req_1"
        );
    }
}

//! Groups that count although they are those of an old answer, because the identity provider is away: in words for the requester
//! and the approver.

use breakglass_api::request::OldGroups;
use breakglass_server::clock::{Moment, meant};

use super::when::{now, relative};
use crate::answer::{brief, one_line};
use crate::terminal::Terminal;

/// Says it, a line for each person.
pub(super) fn note(old: &[OldGroups], terminal: Terminal) {
    let now = now();
    old.iter().for_each(|one| terminal.note(&line(one, now)));
}

fn line(old: &OldGroups, now: Option<Moment>) -> String {
    let OldGroups { person, provider, said_at, cause } = old;
    let age = match now {
        Some(now) => relative(now, meant(said_at)),
        None => said_at.text().to_owned(),
    };
    one_line(&format!(
        "groups of {person} as of {age}: the identity provider `{provider}` is away ({})",
        brief(cause)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakglass_server::clock::written;

    #[test]
    fn says_whose_groups_how_old_and_why_on_one_line() {
        let old = OldGroups {
            person: "corp:al-1".to_owned(),
            provider: "corp".to_owned(),
            said_at: written(Moment::from_seconds(1_795_313_580)),
            cause: "connection refused\napproved".to_owned(),
        };
        let now = Moment::from_seconds(1_795_313_580 + 2400);
        assert_eq!(
            line(&old, Some(now)),
            "groups of corp:al-1 as of 40 min ago: the identity provider `corp` is away (connection refused\u{fffd}approved)"
        );
        assert!(line(&old, None).contains("as of 2026-11-22T02:13:00Z: "));
    }
}

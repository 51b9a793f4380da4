//! How a request is taken as an emergency, in words.

use breakglass_api::Word;
use breakglass_api::emergency::EmergencyObstacle;

use crate::answer::Request;

/// What its requester may do alone, or what is in the way of that, a line for each; nothing where no rule of the request lets its
/// requester take it alone.
pub(super) fn lines(request: &Request) -> Vec<String> {
    match is_alone(request) {
        true => vec!["its requester takes it alone".to_owned()],
        false => obstacles(request),
    }
}

/// Whether its requester takes it alone.
pub(super) fn is_alone(request: &Request) -> bool {
    request.in_emergency.as_ref().is_some_and(|emergency| emergency.alone)
}

/// What is in the way of that.
pub(super) fn obstacles(request: &Request) -> Vec<String> {
    let all = request.in_emergency.iter().flat_map(|emergency| &emergency.obstacles);
    all.map(obstacle).collect()
}

fn obstacle(obstacle: &Word<EmergencyObstacle>) -> String {
    let why = match obstacle.known() {
        Some(EmergencyObstacle::IncidentUnchecked) => {
            "the system that keeps incidents did not answer; one approver of each rule is enough"
        }
        Some(EmergencyObstacle::NoIncident) => "no incident is named; all rules have to be met",
        Some(EmergencyObstacle::ReviewOverdue) => {
            "a review of an earlier grant is overdue; one approver of each rule is enough"
        }
        Some(EmergencyObstacle::Rule) => "a rule has no `emergency`; all rules have to be met",
        Some(EmergencyObstacle::SignIn) => {
            "the requester did not sign in as the rules ask for; all rules have to be met"
        }
        Some(EmergencyObstacle::TooLong) => {
            "it is for more time than a rule allows in an emergency; all rules have to be met"
        }
        Some(EmergencyObstacle::TooMany) => {
            "as many emergencies as a rule allows in 24 hours were taken; one approver of each rule is enough"
        }
        None => "a newer service has this word: look at its documentation",
    };
    format!("not alone, {}: {why}", obstacle.word())
}

#[cfg(test)]
mod tests {
    use breakglass_api::words::Vocabulary as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::answer::{Answer as _, Whole};

    fn read(more: Value) -> Request {
        let mut view = json!({
            "id": "req_1", "state": "pending", "requester": "alice", "audience": "prod",
            "scopes": ["a"], "reason": "stuck", "incident": null, "emergency": true,
            "duration": "30m", "submitted_at": "2026-11-22T02:13:00Z", "lapses_at": "2026-11-22T02:23:00Z",
        });
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Whole::<Request>::read(view).unwrap().body
    }

    #[test]
    fn each_obstacle_is_a_line_that_says_what_it_takes() {
        assert!(lines(&read(json!({}))).is_empty(), "a service of before does not say it");
        let alone = json!({ "in_emergency": { "alone": true, "obstacles": [] } });
        assert_eq!(lines(&read(alone)), ["its requester takes it alone"]);
        for one in EmergencyObstacle::ALL {
            let emergency = json!({ "alone": false, "obstacles": [one.word()] });
            let [line] = &lines(&read(json!({ "in_emergency": emergency })))[..] else {
                panic!("{one:?}")
            };
            assert!(line.starts_with(&format!("not alone, {}: ", one.word())), "{line}");
            let takes = ["all rules have to be met", "one approver of each rule is enough"];
            assert!(takes.iter().any(|words| line.ends_with(words)), "{line}");
        }
        let newer = json!({ "in_emergency": { "alone": false, "obstacles": ["full_moon"] } });
        assert!(lines(&read(newer))[0].starts_with("not alone, full_moon: a newer service"));
    }
}

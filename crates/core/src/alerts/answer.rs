//! What came of a report.

use crate::calls::Answer;
use crate::json::Json;

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The approval service has it.
    Arrived,
    /// The approval service, or something before it, takes no such report, now or later.
    Refused,
    /// It is not known to have arrived. It may have.
    Failed,
}

impl Arrival {
    /// What an answer says. Only one in the form of ours counts: whatever else answers with 200 has no alerts.
    pub(super) fn of(answer: &Answer<'_>) -> Arrival {
        match answer {
            Answer::Response { status: 200, body } if is_ours(body) => Arrival::Arrived,
            Answer::Response { status: 400 | 413 | 422, .. } => Arrival::Refused,
            Answer::Response { .. } | Answer::Failed | Answer::NotSent | Answer::TimedOut => {
                Arrival::Failed
            }
        }
    }
}

/// Whether this says how many alerts were taken.
fn is_ours(body: &[u8]) -> bool {
    let Some(body) = Some(body).filter(|body| body.len() <= MAX_ANSWER_BYTES) else { return false };
    let Ok(answer) = Json::parse(body) else { return false };
    ["accepted", "dropped"]
        .iter()
        .all(|name| answer.member(name).is_some_and(|count| count.as_u64().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn only_an_answer_of_ours_says_that_a_report_has_arrived() {
        let of =
            |status, body: &str| Arrival::of(&Answer::Response { status, body: body.as_bytes() });
        assert_eq!(of(200, r#"{"accepted":3,"dropped":0}"#), Arrival::Arrived);
        assert_eq!(of(200, r#"{"accepted":0,"dropped":3,"more":1}"#), Arrival::Arrived);
        for body in
            ["", "{}", "[]", r#"{"accepted":3}"#, r#"{"accepted":"3","dropped":0}"#, "<html>"]
        {
            assert_eq!(of(200, body), Arrival::Failed, "{body}");
        }
        let large = format!(r#"{{"accepted":3,"dropped":0,"more":"{}"}}"#, "x".repeat(5000));
        assert_eq!(of(200, &large), Arrival::Failed);
        for status in [400, 413, 422] {
            assert_eq!(of(status, "{}"), Arrival::Refused);
        }
        for status in [0, 201, 204, 301, 401, 403, 404, 408, 429, 500, 503, 504] {
            assert_eq!(of(status, r#"{"accepted":3,"dropped":0}"#), Arrival::Failed, "{status}");
        }
        for answer in [Answer::Failed, Answer::NotSent, Answer::TimedOut] {
            assert_eq!(Arrival::of(&answer), Arrival::Failed);
        }
    }
}

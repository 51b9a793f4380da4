//! What a request needs to be approved, in words, and what is left of it where an approver has narrowed it.

use breakglass_api::request::{Need, NeedStage};
use breakglass_audit::moment::Moment;

use super::when::instant;
use crate::answer::{Request, one_line};

/// What the approvals until now have left of a request.
pub(super) struct Left<'r> {
    /// The scopes.
    pub(super) scopes: &'r [String],
    /// For how long, such as `30m`.
    pub(super) duration: &'r str,
}

impl Left<'_> {
    /// Of a request as it was shown.
    pub(super) fn of(request: &Request) -> Left<'_> {
        let last = request.approvals.last();
        Left {
            scopes: last.and_then(|last| last.scopes.as_deref()).unwrap_or(&request.scopes),
            duration: last.and_then(|last| last.duration.as_deref()).unwrap_or(&request.duration),
        }
    }

    /// Why it is these scopes.
    pub(super) fn were(&self, request: &Request) -> &'static str {
        if self.scopes.len() < request.scopes.len() { "were approved" } else { "were asked for" }
    }

    /// Why it is this time.
    pub(super) fn was(&self, request: &Request) -> &'static str {
        if self.duration == request.duration { "was asked for" } else { "was approved" }
    }
}

/// What it needs, a line for each rule; none where one person of the groups of its scopes is enough, and none has approved it.
pub(super) fn lines(request: &Request, now: Option<Moment>) -> Vec<String> {
    let one = |need: &Need| {
        let slots: u64 = need.stages.iter().map(|stage| stage.count).sum();
        need.rule.is_none() && slots == 1
    };
    if request.needs.len() == 1 && request.needs.iter().all(one) && request.approvals.is_empty() {
        return Vec::new();
    }
    request.needs.iter().map(|need| line(need, now)).collect()
}

/// Such as `1 of leads (bob), then 2 of security (0 until now), for payments:refund by the rule long`.
fn line(need: &Need, now: Option<Moment>) -> String {
    let between = if need.in_order { ", then " } else { ", " };
    let stages: Vec<String> = need.stages.iter().map(stage).collect();
    let rule = need.rule.as_ref().map(|rule| format!(" by the rule {rule}")).unwrap_or_default();
    let later = need.escalates.iter().map(|later| {
        format!("; from {} on also of {}", instant(&later.at, now), later.to.join(" or "))
    });
    let later: String = later.collect();
    one_line(&format!("{}, for {}{rule}{later}", stages.join(between), need.scopes.join(", ")))
}

fn stage(stage: &NeedStage) -> String {
    let by = match stage.approved_by.as_slice() {
        [] => "none until now".to_owned(),
        names => names.join(", "),
    };
    format!("{} of {} ({by})", stage.count, stage.from.join(" or "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::answer::{Answer as _, Whole};

    fn read(more: Value) -> Request {
        let mut view = json!({
            "id": "req_1", "state": "pending", "requester": "alice", "audience": "prod",
            "scopes": ["a", "b"], "reason": "stuck", "incident": null, "emergency": false,
            "duration": "30m", "submitted_at": "2026-11-22T02:13:00Z", "lapses_at": "2026-11-22T02:23:00Z",
        });
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Whole::<Request>::read(view).unwrap().body
    }

    #[test]
    fn what_is_needed_is_a_line_for_each_rule() {
        let short = json!({ "scopes": ["a", "b"], "in_order": false,
            "stages": [{ "from": ["leads", "dbas"], "count": 1, "approved_by": [] }] });
        let long = json!({ "rule": "long\nx", "scopes": ["b"], "in_order": true, "stages": [
            { "from": ["leads"], "count": 1, "approved_by": ["bob"] },
            { "from": ["security"], "count": 2, "approved_by": [] }],
            "escalates": [{ "to": ["dbas", "heads"], "at": "2026-11-22T02:18:00Z" }] });
        let words = |needs: Value, approvals: Value| {
            lines(&read(json!({ "needs": needs, "approvals": approvals })), None)
        };
        let bob = json!([{ "by": "bob", "at": "2026-11-22T02:14:00Z" }]);
        assert_eq!(words(json!([]), json!([])), [""; 0], "an older service does not say it");
        assert_eq!(words(json!([short]), json!([])), [""; 0], "the approvers are shown");
        let line = "1 of leads or dbas (none until now), for a, b";
        assert_eq!(words(json!([short]), bob.clone()), [line]);
        assert_eq!(
            words(json!([short, long]), bob),
            [
                line,
                "1 of leads (bob), then 2 of security (none until now), for b by the rule long\u{fffd}x; from 2026-11-22T02:18:00Z on also of dbas or heads"
            ]
        );
    }

    #[test]
    fn what_an_approver_left_out_is_not_left() {
        let approvals = json!([
            { "by": "bob", "at": "2026-11-22T02:14:00Z", "scopes": ["b"], "duration": "10m" }]);
        let narrowed = read(json!({ "approvals": approvals }));
        let left = Left::of(&narrowed);
        assert_eq!((left.scopes, left.duration), (["b".to_owned()].as_slice(), "10m"));
        let whole = read(json!({}));
        assert_eq!((Left::of(&whole).scopes.len(), Left::of(&whole).duration), (2, "30m"));
    }
}

//! How long a requester has waited, told when the change is committed.

use crate::app::App;
use crate::clock::Moment;
use crate::request_metrics::Waited;
use crate::store::Request;

/// The requester has waited for this until now.
pub(super) fn waited(app: &App, now: Moment, request: &Request, waited: Waited) {
    let seconds = now.seconds().saturating_sub(request.submitted_at);
    app.metrics().requests().waited(waited, request.emergency, seconds);
}

/// An approver has asked, approved or denied now. Tells how long the requester has waited, if no other question came
/// before. `before` is how much had been said until then.
pub(super) async fn answered(app: &App, now: Moment, request: &Request, who: &str, before: i64) {
    let is_first = before == 0
        || app.store().discussion(&request.id).await.is_ok_and(|said| {
            let mut questions = said.iter().filter(|remark| remark.kind == "question");
            questions.all(|remark| remark.at_ms == now.millis() && remark.author == who)
        });
    if is_first {
        waited(app, now, request, Waited::FirstAnswer);
    }
}

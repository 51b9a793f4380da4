//! Before an approver decides: a question to the requester, and the answer. The request waits as it did, and its time goes
//! on.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::request::State;
use serde_json::json;

use super::waited::answered;
use super::{OnlyRequester, Refused, held, locked};
use crate::access::Access;
use crate::app::App;
use crate::clock::Moment;
use crate::config::Person;
use crate::limits::MAX_REMARKS;
use crate::store::{Change, Remark, Request};

/// An approver asks the requester something.
///
/// # Errors
/// [`Refused`] if `who` could not decide on it, or it is not pending.
pub async fn question(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
    text: &str,
) -> Result<Request, Refused> {
    let check = |request: &Request| {
        Access::of(&app.config()).check_deny(who, &held::request(request))?;
        pending(request)
    };
    let (change, request) = locked::request(app, now, id, check).await?;
    let words = (Action::Question, EventType::Questioned);
    say(app, now, change, &request, who, words, text).await
}

/// The requester answers.
///
/// # Errors
/// [`Refused`] if it is not `who`'s, or not pending.
pub async fn answer(
    app: &App,
    who: &Person,
    now: Moment,
    id: &str,
    text: &str,
) -> Result<Request, Refused> {
    let check = |request: &Request| {
        if request.requester != who.name {
            return Err(Refused::NotTheRequester(OnlyRequester::Answer));
        }
        pending(request)
    };
    let (change, request) = locked::request(app, now, id, check).await?;
    let words = (Action::Answer, EventType::Answered);
    say(app, now, change, &request, who, words, text).await
}

fn pending(request: &Request) -> Result<(), Refused> {
    match request.state {
        State::Pending => Ok(()),
        state => Err(Refused::NotPending(state)),
    }
}

async fn say(
    app: &App,
    now: Moment,
    change: Change,
    request: &Request,
    who: &Person,
    words: (Action, EventType),
    text: &str,
) -> Result<Request, Refused> {
    if request.remarks >= MAX_REMARKS {
        let refused = Refused::TooManyRemarks(request.remarks);
        return Err(locked::refuse(change, refused).await);
    }
    let remark = Remark {
        author: who.name.clone(),
        at_ms: now.millis(),
        kind: words.0.word().to_owned(),
        text: text.to_owned(),
    };
    let said = change.say(now, request, &remark).await?;
    let before = request.remarks;
    let request = said.commit(now, &who.name, words, json!({ "text": text })).await?;
    app.changed(words.0, &request.id);
    if words.0 == Action::Question {
        answered(app, now, &request, &who.name, before).await;
    }
    tracing::info!(request = request.id, author = who.name, "{}", words.0.word());
    Ok(request)
}

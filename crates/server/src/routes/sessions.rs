//! `GET /v1/sessions` and `POST /v1/sessions/{id}/end`: a person's own sessions; those of all people for administrators.

use axum::extract::{Extension, State};
use axum::{Json, extract::ConnectInfo};
use breakglass_api::Word;
use breakglass_api::session::{
    DeviceSignIn, Session as View, SessionFactor, SessionState as Shown, Sessions, SessionsQuery,
};
use std::net::SocketAddr;

use super::body::{Id, QueryString};
use crate::access::Access;
use crate::app::App;
use crate::auth::current_session::CurrentSession;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::domain::sessions;
use crate::problem::Problem;
use crate::store::{FactorRow, Session, SessionFilter, SessionState};

/// How many sessions a page lists.
const PAGE: usize = 100;

/// The address of the client, where the connection's side said it.
type Source = Option<Extension<ConnectInfo<SocketAddr>>>;

pub(super) async fn list(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    current: CurrentSession,
    QueryString(query): QueryString<SessionsQuery>,
) -> Result<Json<Sessions>, Problem> {
    if query.all {
        Access::of(&app.config()).check_administrator(&person)?;
    }
    let account = (!query.all).then_some(person.name.as_str());
    let filter = SessionFilter { account, after: query.after.as_deref() };
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let sessions = app.store().sessions(filter, limit).await?;
    let next = (sessions.len() == PAGE).then(|| sessions.last().map(|last| last.id.clone()));
    let now = app.now();
    let sessions = sessions.into_iter().map(|one| view(now, &current, one)).collect();
    Ok(Json(Sessions { sessions, next: next.flatten() }))
}

pub(super) async fn end(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    current: CurrentSession,
    source: Source,
    Id(id): Id,
) -> Result<Json<View>, Problem> {
    let source = source.map(|Extension(ConnectInfo(address))| address.ip().to_string());
    let now = app.now();
    let session = sessions::end(&app, &person, now, &id, source.as_deref()).await?;
    Ok(Json(view(now, &current, session)))
}

/// A session as the interface says it.
pub(super) fn view(
    now: Moment,
    CurrentSession(current): &CurrentSession,
    session: Session,
) -> View {
    let state = match session.state(now) {
        SessionState::Live => Shown::Live,
        SessionState::Idle => Shown::Idle,
        SessionState::Over => Shown::Over,
        SessionState::Ended => Shown::Ended,
    };
    let at = |seconds| written(Moment::from_seconds(seconds));
    View {
        current: current.as_deref() == Some(session.id.as_str()),
        id: session.id,
        account: session.account,
        client: session.client,
        source: session.source,
        state: Word::Known(state),
        began_at: at(session.began_at),
        used_at: at(session.used_at),
        ends_at: at(session.ends_at),
        ended_at: session.ended_at.map(at),
        ended_by: session.ended_by,
        end_reason: session.end_reason,
        level: session.factor.as_ref().map(|factor| factor.level.clone()),
        factor: session.factor.map(factor),
        device: session
            .device
            .map(|device| DeviceSignIn { source: device.source, browser: device.browser }),
    }
}

fn factor(FactorRow { level, acr, amr, auth_time }: FactorRow) -> SessionFactor {
    SessionFactor { level, acr, amr, auth_time: written(Moment::from_seconds(auth_time)) }
}

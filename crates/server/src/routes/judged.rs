//! The caller of an endpoint that opens access: a person whose groups were asked for where they had to be.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::auth::current_session::CurrentSession;
use crate::auth::identity::AsActor;
use crate::domain::{JudgedActor, judge};
use crate::problem::Problem;

/// The caller is this person, judged.
#[derive(Debug, Clone)]
pub(super) struct AsJudged(pub(super) JudgedActor);

impl FromRequestParts<App> for AsJudged {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<AsJudged, Problem> {
        let AsActor(actor) = AsActor::from_request_parts(parts, app).await?;
        let judged = judge(app, actor).await;
        // The provider may have said that the session there is over, which ends the one here.
        let Ok(session) = CurrentSession::from_request_parts(parts, app).await;
        session.check(app)?;
        Ok(AsJudged(judged))
    }
}

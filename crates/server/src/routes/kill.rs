//! `POST /v1/revocations`: the kill switch. Exactly one of `grant`, `subject`, `incident`, `scope`, `all` says what
//! matches. Where it stops half way, the answer says how much is done: the same request again does the rest.

use axum::Json;
use axum::extract::State;
use breakglass_api::Instant;
use breakglass_api::revocation::{Kill as Body, Killed as Answer, LookAlike};

use super::body::{FieldErrors, JsonBody};
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::domain::{self, Killed, Refused};
use crate::limits::MAX_LISTED_GRANTS;
use crate::problem::{Problem, Reason};
use crate::store::Target;
use crate::text;

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<Answer>, Problem> {
    let target = target(&body)?;
    let killed = domain::kill(&app, &person, app.now(), target, &body.reason).await;
    let killed = killed.map_err(|(done, refused)| half_way(&done, refused))?;
    let look_alikes = look_alikes(&killed);
    Ok(Json(Answer {
        revoked: number(killed.revoked),
        grants: killed.grants,
        epoch: killed.epoch,
        not_yours: number(killed.not_yours),
        look_alikes,
        latest_expires_at: killed.latest_end.map(Instant::from_seconds),
        earliest_approved_at: killed.first_approval.map(Instant::from_seconds),
        had_ended: number(killed.had_ended),
    }))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn look_alikes(killed: &Killed) -> Vec<LookAlike> {
    let found = killed.alike.iter().take(MAX_LISTED_GRANTS);
    found
        .map(|(spelling, (revoked, not_yours))| LookAlike {
            name: spelling.clone(),
            revoked: number(*revoked),
            not_yours: number(*not_yours),
        })
        .collect()
}

fn half_way(done: &Killed, refused: Refused) -> Problem {
    let problem = Problem::from(refused);
    let Killed { revoked, epoch, .. } = done;
    if *revoked == 0 {
        return problem;
    }
    tracing::error!(revoked, epoch, reason = problem.reason().word(), "kill switch half way");
    problem.after(&format!(
        "{} revoked, up to epoch {epoch}, and the rest was not: run it again to revoke the rest. \
         Why it stopped",
        if *revoked == 1 { "1 grant was".to_owned() } else { format!("{revoked} grants were") },
    ))
}

/// What the body says is to be revoked.
fn target(body: &Body) -> Result<Target<'_>, Problem> {
    let mut errors = FieldErrors::default();
    errors.check("reason", text::reason(&body.reason));
    let name = |field: &str, value: &Option<String>, errors: &mut FieldErrors| {
        if let Some(value) = value {
            errors.check(field, text::name(value));
        }
    };
    name("grant", &body.grant, &mut errors);
    name("subject", &body.subject, &mut errors);
    name("incident", &body.incident, &mut errors);
    name("scope", &body.scope, &mut errors);
    if body.all == Some(false) {
        errors.add("all", "expected `true`, or another field instead");
    }
    let named = [
        body.grant.as_deref().map(Target::Grant),
        body.subject.as_deref().map(Target::Subject),
        body.incident.as_deref().map(Target::Incident),
        body.scope.as_deref().map(Target::Scope),
        body.all.map(|_| Target::All),
    ];
    let mut named = named.into_iter().flatten();
    let (first, second) = (named.next(), named.next());
    if first.is_none() || second.is_some() {
        let one = "expected exactly one of `grant`, `subject`, `incident`, `scope`, `all`";
        errors.add("all", one);
    }
    errors.finish()?;
    // Cannot be: an error was just added for it.
    first.ok_or_else(|| Problem::new(Reason::InvalidRequest, "nothing is to be revoked"))
}

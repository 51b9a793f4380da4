//! `GET /v1/whoami`: the caller, as the service knows them.

use axum::Json;
use axum::extract::State;
use breakglass_api::Word;
use breakglass_api::whoami::{GroupsKnown, WhoAmI, WhoAmIFactor, WhoAmIGroups};

use super::notify;
use super::sessions::view;
use crate::access::Directory as _;
use crate::app::App;
use crate::auth::current_session::CurrentSession;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::config::{Config, Credential};
use crate::problem::Problem;
use crate::store::{Account, FactorRow};

pub(super) async fn handler(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    current: CurrentSession,
) -> Result<Json<WhoAmI>, Problem> {
    let (config, now) = (app.config(), app.now());
    let account = match person.credential {
        Credential::Account { .. } => app.store().account(&person.name).await?,
        Credential::ApiToken(_) => None,
    };
    let session = match &current.0 {
        Some(id) => app.store().session(id).await?,
        None => None,
    };
    let factor = session.as_ref().and_then(|session| session.factor.as_ref()).map(factor);
    let groups = match &account {
        Some(account) => said(&config, account, now),
        None => known(person.groups.clone()),
    };
    let (shown_name, mail, provider) = match account {
        Some(account) => (account.shown_name, account.mail, Some(account.provider)),
        None => (None, None, None),
    };
    Ok(Json(WhoAmI {
        name: person.name.clone(),
        shown_name,
        mail,
        provider,
        groups,
        may_approve: config.may_approve(&person.name),
        session: session.map(|session| view(now, &current, session)),
        factor,
        notify: Some(notify::view(&app, &person.name).await?),
    }))
}

fn known(names: Vec<String>) -> WhoAmIGroups {
    let state = if names.is_empty() { GroupsKnown::None } else { GroupsKnown::Known };
    WhoAmIGroups { state: Word::Known(state), names, since: None, reason: None }
}

/// What the provider said, if it still counts, by the names that groups have here.
fn said(config: &Config, account: &Account, now: Moment) -> WhoAmIGroups {
    let since = Some(written(Moment::from_seconds(account.groups_at)));
    let unknown = |names: Vec<String>, reason: String| WhoAmIGroups {
        state: Word::Known(GroupsKnown::Unknown),
        names,
        since: since.clone(),
        reason: Some(reason),
    };
    let known_groups = config.group_names(&account.provider).zip(account.groups.as_ref());
    let Some(names) = known_groups.map(|(names, said)| names.here(said)) else {
        return unknown(Vec::new(), account.groups_unknown.clone().unwrap_or_default());
    };
    if now.seconds().saturating_sub(account.groups_at) > config.max_directory_age {
        let reason =
            "the identity provider said so longer ago than `max_directory_age`: sign in again";
        return unknown(names, reason.to_owned());
    }
    WhoAmIGroups { since, ..known(names) }
}

fn factor(row: &FactorRow) -> WhoAmIFactor {
    WhoAmIFactor {
        level: row.level.clone(),
        acr: row.acr.clone(),
        amr: row.amr.clone(),
        auth_time: written(Moment::from_seconds(row.auth_time)),
    }
}

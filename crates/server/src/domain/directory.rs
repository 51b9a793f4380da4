//! An identity provider is asked again in which groups a person is, with what is kept of the person's sessions there.
//!
//! 1. One question of each person at a time; all who need the answer wait for it. It goes on when they do not: a refresh token
//!    that the provider has taken may be void, and the next one has to be kept.
//! 2. No lock is held while the provider is asked.
//! 3. `invalid_grant` is the provider's word that a session there is over: the session here that began with it ends, and no
//!    grant. Any other failure ends nothing.

use breakglass_api::trail::ServiceAction;
use breakglass_identity::{Groups, ProviderSession, RefreshFailed, Refreshed};
use breakglass_types::instant::Instant;
use serde_json::json;

use super::sessions::{at_provider, end_by_provider, entry};
use super::{groups_lost, said_groups};
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Attempt, NotSaid};
use crate::limits::MAX_ASKED_SESSIONS;
use crate::provider_groups::GroupsAtProvider;
use crate::store::{Account, Happened, SERVICE, ServiceAct, StoreError};

/// Asks the provider of the person called `name`, if what it said last does not count any more and it was not asked just now.
/// Afterwards memory has what is known.
pub async fn refresh(app: &App, name: &str) {
    if !app.config().people.is_to_be_asked_for(name) {
        return;
    }
    let (mut ended, turn) = app.sign_ins().refreshes.of(name);
    if let Some(turn) = turn {
        let (app, name) = (app.clone(), name.to_owned());
        tokio::spawn(async move {
            ask(&app, &name).await;
            drop(turn);
        });
    }
    // It is closed, and never changes.
    let _ = ended.changed().await;
}

/// Asks, and takes what came of it into the database and into memory.
async fn ask(app: &App, name: &str) {
    // Of two that come one after the other the second finds an answer.
    if !app.config().people.is_to_be_asked_for(name) {
        return;
    }
    let (outcome, why) = match by_sessions(app, name).await {
        Ok(()) => ("answered", None),
        Err(why) => (word(&why), Some(why)),
    };
    app.metrics().service().directory_asked(outcome);
    if let Some(why) = why {
        if outcome != "not_asked" {
            tracing::warn!(account = name, outcome, cause = ?why, "the provider did not say the groups");
        }
        app.accounts().attempted(name, Attempt { at: app.now(), why });
    }
}

fn word(why: &NotSaid) -> &'static str {
    match why {
        NotSaid::NotAsked => "not_asked",
        NotSaid::NoAnswer(_) => "no_answer",
        NotSaid::SessionEnded => "session_ended",
        NotSaid::NoGroups(_) => "no_groups",
        NotSaid::Refused(_) => "refused",
    }
}

/// By one session after the other, the newest first, until the provider takes one.
async fn by_sessions(app: &App, name: &str) -> Result<(), NotSaid> {
    let providers = app.providers();
    let mut why = NotSaid::NotAsked;
    let failed = |cause: StoreError| {
        tracing::error!(%cause, account = name, "an answer about a person's groups is lost");
        NotSaid::Refused("the service's own database failed".to_owned())
    };
    let kept = app.store().provider_sessions(app.now(), name, MAX_ASKED_SESSIONS).await;
    for row in kept.map_err(failed)? {
        let Some(session) = at_provider::open(app, &row.id, &row.provider_session) else {
            continue;
        };
        let Some(provider) = providers.get(&session.provider) else { continue };
        let asked_at = app.now();
        let now = Instant::from_millis(u64::try_from(asked_at.millis()).unwrap_or_default());
        let answer =
            providers.ask_again(provider, move |provider| provider.refresh(&session, now)).await;
        match answer {
            Err(busy) => return Err(NotSaid::NoAnswer(busy.to_string())),
            Ok(Ok(refreshed)) => return take(app, asked_at, name, &row.id, refreshed).await,
            Ok(Err(failure)) if failure.ends_session() => {
                end_by_provider(app, app.now(), &row.id).await.map_err(failed)?;
                why = NotSaid::SessionEnded;
            }
            Ok(Err(RefreshFailed { error, session })) => {
                if let Some(session) = session {
                    keep(app, &row.id, &session).await.map_err(failed)?;
                }
                let cause = error.to_string();
                let is_outage = error.is_outage();
                return Err(if is_outage {
                    NotSaid::NoAnswer(cause)
                } else {
                    NotSaid::Refused(cause)
                });
            }
        }
    }
    Err(why)
}

/// Keeps the refresh token that takes the place of one that the provider has taken.
async fn keep(app: &App, id: &str, session: &ProviderSession) -> Result<(), StoreError> {
    let Some(sealed) = at_provider::seal(app, id, session) else { return Ok(()) };
    let now = app.now();
    let mut change = app.store().change().await?;
    change.keep_provider_session(id, &sealed).await?;
    change.record(now, &[]).await?.commit().await
}

/// Takes an answer: the groups into the account, and what the person lost by it out of the grants.
async fn take(
    app: &App,
    asked_at: Moment,
    name: &str,
    id: &str,
    refreshed: Refreshed,
) -> Result<(), NotSaid> {
    // Whatever becomes of the groups.
    let kept = keep(app, id, &refreshed.session).await;
    let taken = match kept {
        Ok(()) => groups_of(app, asked_at, name, refreshed).await,
        Err(cause) => Err(cause),
    };
    taken.unwrap_or_else(|cause| {
        tracing::error!(%cause, account = name, "an answer about a person's groups is lost");
        Err(NotSaid::Refused("the service's own database failed".to_owned()))
    })
}

async fn groups_of(
    app: &App,
    asked_at: Moment,
    name: &str,
    refreshed: Refreshed,
) -> Result<Result<(), NotSaid>, StoreError> {
    let now = app.now();
    let _alone = app.sessions().change().await;
    let mut change = app.store().change().await?;
    let Some(before) = change.account(name).await? else {
        change.abandon().await?;
        return Ok(Err(NotSaid::NotAsked));
    };
    let person = refreshed.person.as_ref();
    if person.is_some_and(|person| person.subject != before.subject) {
        change.abandon().await?;
        let why = "the provider's answer is about another person: its `subject` was changed";
        return Ok(Err(NotSaid::Refused(why.to_owned())));
    }
    // A sign-in meanwhile brought an answer that is as new.
    if before.groups_at > asked_at.seconds() {
        change.abandon().await?;
        return Ok(Ok(()));
    }
    let (groups, groups_unknown) = match refreshed.groups {
        Groups::Known(groups) => (Some(GroupsAtProvider::said(groups)), None),
        Groups::None => (Some(GroupsAtProvider::default()), None),
        Groups::Unknown(why) => (None, Some(why)),
    };
    let said = groups_unknown.clone().map_or(Ok(()), |why| Err(NotSaid::NoGroups(why)));
    let account = Account {
        groups,
        groups_unknown,
        groups_at: asked_at.seconds(),
        shown_name: person.map_or(before.shown_name.clone(), |person| person.name.clone()),
        mail: person.map_or(before.mail.clone(), |person| person.mail.clone()),
        mail_verified: person.map_or(before.mail_verified, |person| person.mail_verified),
        ..before.clone()
    };
    change.keep_account(&account).await?;
    let lost = groups_lost::judge(app, &mut change, now, &account, Some(&before)).await?;
    let mut detail = json!({
        "account": name, "provider": account.provider, "groups_unknown": account.groups_unknown,
        "before": said_groups::here(&app.config(), &before),
    });
    said_groups::note(&app.config(), &account, &mut detail);
    let action = ServiceAction::GroupsChanged;
    let changed = ServiceAct { actor: SERVICE, action, detail: &detail };
    let is_changed = account.groups != before.groups;
    let mut happened: Vec<Happened<'_>> =
        is_changed.then_some(Happened::Service(changed)).into_iter().collect();
    happened.extend(lost.happened());
    let recorded = change.record(now, &happened).await?;
    // Before the commit, so that no grant is made by the answer of before after its end was judged.
    app.accounts().put(entry(&account));
    if let Err(cause) = recorded.commit().await {
        app.accounts().put(entry(&before));
        return Err(cause);
    }
    groups_lost::committed(app, name, &lost).await;
    Ok(said)
}

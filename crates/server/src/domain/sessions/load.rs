//! What memory has of accounts and sessions when the service starts.

use std::sync::Arc;

use breakglass_audit::folded::Folded;

use crate::app::App;
use crate::clock::Moment;
use crate::config::{AccountEntry, Attempt, Credential, NotSaid, Person};
use crate::domain::groups_lost;
use crate::store::{Account, StoreError};

/// How many accounts are read at once.
const STEP: i64 = 5_000;

/// Reads the accounts, and the access tokens that count: before the service answers its first request.
///
/// # Errors
/// [`StoreError`] if the database cannot tell.
pub async fn load(app: &App) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let accounts = app.store().accounts_after(&last, STEP).await?;
        let Some(name) = accounts.last().map(|account| account.name.clone()) else { break };
        last = name;
        accounts.iter().for_each(|account| app.accounts().put(entry(account)));
    }
    let change = app.sessions().change().await;
    for session in app.store().live_sessions(app.now()).await? {
        change.put(&session);
    }
    groups_lost::look(app).await;
    Ok(())
}

/// The account as memory has it.
pub(in crate::domain) fn entry(account: &Account) -> AccountEntry {
    let person = Person {
        name: account.name.clone(),
        credential: Credential::Account {
            issuer: account.issuer.clone(),
            subject: account.subject.clone(),
        },
        groups: Vec::new(),
        // No provider says a role: they are of the configuration.
        roles: Vec::new(),
        may_approve_by_token: false,
        mail: None,
    };
    AccountEntry {
        person: Arc::new(person),
        provider: account.provider.clone(),
        mail: account
            .mail
            .as_deref()
            .filter(|mail| !mail.trim().is_empty())
            .map(|mail| Arc::new(Folded::new(mail))),
        address: account.mail.as_deref().filter(|_| account.mail_verified).map(Arc::from),
        groups: account.groups.clone().map(Arc::new),
        groups_at: Moment::from_seconds(account.groups_at),
        attempt: account.groups_unknown.clone().map(|why| Attempt {
            at: Moment::from_seconds(account.groups_at),
            why: NotSaid::NoGroups(why),
        }),
    }
}

//! People who are known by their sign-in at an identity provider: one row for each.

use sqlx::types::Json;

use super::change::Change;
use super::{Store, StoreError, exactly_one};
use crate::provider_groups::GroupsAtProvider;

/// A person at an identity provider, as the provider said last.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    /// `<provider>:<subject>`: the `sub` of tokens, and the actor on the trail.
    pub name: String,
    /// The name of the provider's entry in the configuration.
    pub provider: String,
    /// Its issuer.
    pub issuer: String,
    /// The person there, by the claims that the entry names.
    pub subject: String,
    /// A name to show.
    pub shown_name: Option<String>,
    /// A mail address to show.
    pub mail: Option<String>,
    /// Whether the provider says that it has verified the address: to no other one is anything sent.
    pub mail_verified: bool,
    /// The groups, as the provider says them; nothing where it did not say.
    #[sqlx(json(nullable))]
    pub groups: Option<GroupsAtProvider>,
    /// Why they are not known.
    pub groups_unknown: Option<String>,
    /// When the provider said so, in seconds.
    pub groups_at: i64,
    /// When the person signed in last, in seconds.
    pub signed_in_at: i64,
}

impl Change {
    /// The accounts that have this name, or are this person: those that an account would collide with, and its own.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn accounts_like(&mut self, account: &Account) -> Result<Vec<Account>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT * FROM accounts WHERE name = ?1
             UNION SELECT * FROM accounts WHERE issuer = ?2 AND subject = ?3",
        )
        .bind(&account.name)
        .bind(&account.issuer)
        .bind(&account.subject)
        .fetch_all(&mut *self.0)
        .await?)
    }

    /// The account with this name, as it stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn account(&mut self, name: &str) -> Result<Option<Account>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM accounts WHERE name = ?1")
            .bind(name)
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// Makes the account, or writes down what the provider says of it now.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it, such as where the name is another person's.
    pub async fn keep_account(&mut self, account: &Account) -> Result<(), StoreError> {
        let result = sqlx::query(
            "INSERT INTO accounts (name, provider, issuer, subject, shown_name, mail, groups, groups_unknown, groups_at,
                 signed_in_at, mail_verified)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (name) DO UPDATE SET provider = ?2, issuer = ?3, subject = ?4, shown_name = ?5, mail = ?6,
                 groups = ?7, groups_unknown = ?8, groups_at = ?9, signed_in_at = ?10, mail_verified = ?11",
        )
        .bind(&account.name)
        .bind(&account.provider)
        .bind(&account.issuer)
        .bind(&account.subject)
        .bind(&account.shown_name)
        .bind(&account.mail)
        .bind(account.groups.as_ref().map(Json))
        .bind(&account.groups_unknown)
        .bind(account.groups_at)
        .bind(account.signed_in_at)
        .bind(account.mail_verified)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }
}

impl Store {
    /// The account with this name.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM accounts WHERE name = ?1")
            .bind(name)
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// The accounts whose names come after this one, in order, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn accounts_after(&self, name: &str, limit: i64) -> Result<Vec<Account>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM accounts WHERE name > ?1 ORDER BY name LIMIT ?2")
            .bind(name)
            .bind(limit)
            .fetch_all(&self.lookups)
            .await?)
    }
}

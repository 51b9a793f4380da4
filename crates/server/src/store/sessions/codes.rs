//! Authorization codes, and the sessions that they make.

use sqlx::types::Json;

use super::{DeviceRow, FactorRow, NewTokens, Session};
use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::SESSION_S;
use crate::store::{Change, Store, StoreError, exactly_one};

/// What an authorization code is made of.
#[derive(Debug, Clone)]
pub struct NewCode<'a> {
    /// The SHA-256 of the code.
    pub sha256: Digest,
    /// Who signed in.
    pub account: &'a str,
    /// The client that it is for.
    pub client: &'a str,
    /// Where it was sent.
    pub redirect_uri: &'a str,
    /// `code_challenge` with `S256` (RFC 7636).
    pub code_challenge: &'a str,
    /// How the person authenticated, where a level was asked for.
    pub factor: Option<&'a FactorRow>,
    /// The session at the provider, sealed for [`code_context`](super::code_context).
    pub provider_session: Option<Vec<u8>>,
    /// From where, where it is a device code.
    pub device: Option<&'a DeviceRow>,
    /// Until when it counts, in seconds.
    pub expires_at: i64,
}

/// An authorization code as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Code {
    /// Who signed in.
    pub account: String,
    /// The client that it is for.
    pub client: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// `code_challenge` with `S256`.
    pub code_challenge: String,
    /// How the person authenticated.
    #[sqlx(json(nullable))]
    pub factor: Option<FactorRow>,
    /// From where, where it is a device code.
    #[sqlx(json(nullable))]
    pub device: Option<DeviceRow>,
    /// Until when it counts, in seconds.
    pub expires_at: i64,
    /// The session that it made.
    pub session: Option<String>,
    /// The session at the provider, sealed; none of a code that was used.
    pub provider_session: Option<Vec<u8>>,
}

/// A session that a code makes.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: &'a str,
    /// The address of the client.
    pub source: Option<&'a str>,
    /// The SHA-256 of the part that all its refresh tokens have.
    pub handle_sha256: Digest,
    /// The session at the provider, sealed for the session's id.
    pub provider_session: Option<Vec<u8>>,
    /// Its first tokens.
    pub tokens: NewTokens,
}

impl Change {
    /// Keeps a code.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn keep_code(&mut self, code: &NewCode<'_>) -> Result<(), StoreError> {
        let result = sqlx::query(
            "INSERT INTO authorization_codes (sha256, account, client, redirect_uri, code_challenge, factor, device,
                 expires_at, provider_session)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(code.sha256.as_slice())
        .bind(code.account)
        .bind(code.client)
        .bind(code.redirect_uri)
        .bind(code.code_challenge)
        .bind(code.factor.map(Json))
        .bind(code.device.map(Json))
        .bind(code.expires_at)
        .bind(code.provider_session.as_deref())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// The code with this SHA-256, as it stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn code(&mut self, sha256: &Digest) -> Result<Option<Code>, StoreError> {
        Ok(sqlx::query_as(SELECT).bind(sha256.as_slice()).fetch_optional(&mut *self.0).await?)
    }

    /// Begins the session that this code makes, and returns it. The code is used then.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it, such as where the code was used.
    pub async fn begin_session(
        &mut self,
        now: Moment,
        code_sha256: &Digest,
        new: &NewSession<'_>,
    ) -> Result<Session, StoreError> {
        let result = sqlx::query(
            "INSERT INTO sessions (id, account, client, source, factor, device, began_at, ends_at, used_at, handle_sha256,
                 refresh_sha256, access_sha256, access_expires_at, provider_session)
             SELECT ?1, account, client, ?2, factor, device, ?3, ?4, ?3, ?5, ?6, ?7, ?8, ?10
             FROM authorization_codes WHERE sha256 = ?9",
        )
        .bind(new.id)
        .bind(new.source)
        .bind(now.seconds())
        .bind(now.seconds().saturating_add(SESSION_S))
        .bind(new.handle_sha256.as_slice())
        .bind(new.tokens.refresh_sha256.as_slice())
        .bind(new.tokens.access_sha256.as_slice())
        .bind(new.tokens.access_expires_at)
        .bind(code_sha256.as_slice())
        .bind(new.provider_session.as_deref())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)?;
        let result = sqlx::query(
            "UPDATE authorization_codes SET session = ?1, provider_session = NULL WHERE sha256 = ?2 AND session IS NULL",
        )
        .bind(new.id)
        .bind(code_sha256.as_slice())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)?;
        self.session(new.id).await?.ok_or(StoreError::RowsAffected(0))
    }
}

const SELECT: &str =
    "SELECT account, client, redirect_uri, code_challenge, factor, device, expires_at, session, provider_session
     FROM authorization_codes WHERE sha256 = ?1";

impl Store {
    /// The code with this SHA-256: looked for before a change takes the lock, so that a made-up one costs none.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn code(&self, sha256: &Digest) -> Result<Option<Code>, StoreError> {
        Ok(sqlx::query_as(SELECT).bind(sha256.as_slice()).fetch_optional(&self.lookups).await?)
    }
}

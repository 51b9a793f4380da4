//! A person has signed in at an identity provider: the account is made or brought up to date, and the client gets a code.

use breakglass_api::trail::ServiceAction;
use breakglass_audit::folded::Folded;
use breakglass_identity::ProviderSession;
use serde_json::json;

use super::at_provider;
use super::load::entry;
use super::refused::SignInRefused;
use crate::access::device::check_device_sign_in;
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Config, Digest};
use crate::domain::{groups_lost, said_groups};
use crate::limits::CODE_S;
use crate::provider_groups::GroupsAtProvider;
use crate::session_token::{code as new_code, sha256};
use crate::signin::TooOften;
use crate::store::{Account, DeviceRow, FactorRow, Happened, NewCode, ServiceAct, code_context};
use crate::text;

/// What a provider said in which groups a person is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaidGroups {
    /// These; none where it is empty.
    Known(Vec<String>),
    /// It did not say, for this reason.
    Unknown(String),
}

/// What a provider said of a person, verified.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The name of the provider's entry.
    pub provider: String,
    /// Its issuer.
    pub issuer: String,
    /// The person there.
    pub subject: String,
    /// A name to show.
    pub shown_name: Option<String>,
    /// A mail address to show.
    pub mail: Option<String>,
    /// Whether the provider says that it has verified the address.
    pub mail_verified: bool,
    /// The groups.
    pub groups: SaidGroups,
    /// How the person authenticated, where a level was asked for and reached.
    pub factor: Option<FactorRow>,
    /// The session there, so that the groups can be asked for again.
    pub at_provider: Option<ProviderSession>,
    /// The address of the browser.
    pub source: Option<String>,
}

/// What the code is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The client.
    pub client: &'a str,
    /// Where the code is sent.
    pub redirect_uri: &'a str,
    /// `code_challenge` with `S256`.
    pub code_challenge: &'a str,
}

impl SignedIn {
    /// `<provider>:<subject>`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.provider, self.subject)
    }

    fn account(&self, now: Moment) -> Account {
        let (groups, groups_unknown) = match &self.groups {
            SaidGroups::Known(groups) => (Some(GroupsAtProvider::said(groups.clone())), None),
            SaidGroups::Unknown(why) => (None, Some(why.clone())),
        };
        Account {
            name: self.name(),
            provider: self.provider.clone(),
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            shown_name: self.shown_name.clone(),
            mail: self.mail.clone(),
            mail_verified: self.mail_verified,
            groups,
            groups_unknown,
            groups_at: now.seconds(),
            signed_in_at: now.seconds(),
        }
    }
}

/// Signs the person in, and returns the authorization code.
///
/// # Errors
/// [`SignInRefused`].
pub async fn sign_in(
    app: &App,
    now: Moment,
    who: &SignedIn,
    binding: Binding<'_>,
) -> Result<String, SignInRefused> {
    let code = new_code(app.randomness());
    let account = who.account(now);
    let new = NewCode {
        sha256: sha256(&code),
        account: &account.name,
        client: binding.client,
        redirect_uri: binding.redirect_uri,
        code_challenge: binding.code_challenge,
        factor: who.factor.as_ref(),
        provider_session: None,
        device: None,
        expires_at: now.seconds().saturating_add(CODE_S),
    };
    keep(app, now, who, &account, &new).await?;
    Ok(code)
}

/// A device code for which a person signs in.
#[derive(Debug, Clone)]
pub struct DeviceBinding<'a> {
    /// The client.
    pub client: &'a str,
    /// The SHA-256 of the device code.
    pub code: Digest,
    /// Until when it counts.
    pub ends_at: Moment,
    /// The address that asked for it.
    pub source: Option<String>,
}

/// Signs the person in for a device, which takes the tokens with its device code.
///
/// # Errors
/// [`SignInRefused`], such as for a person who may approve, where such people may not sign in so.
pub async fn sign_in_for_device(
    app: &App,
    now: Moment,
    who: &SignedIn,
    binding: &DeviceBinding<'_>,
) -> Result<(), SignInRefused> {
    let account = who.account(now);
    let groups = account.groups.as_ref();
    check_device_sign_in(&app.config(), &account.name, &account.provider, groups)?;
    let device = DeviceRow { source: binding.source.clone(), browser: who.source.clone() };
    let new = NewCode {
        sha256: binding.code,
        account: &account.name,
        client: binding.client,
        // No exchange of an authorization code brings these two.
        redirect_uri: "",
        code_challenge: "",
        factor: who.factor.as_ref(),
        provider_session: None,
        device: Some(&device),
        expires_at: binding.ends_at.seconds(),
    };
    keep(app, now, who, &account, &new).await
}

/// Keeps what the provider said of the person, and the code with the session at the provider: on the trail.
async fn keep(
    app: &App,
    now: Moment,
    who: &SignedIn,
    account: &Account,
    new: &NewCode<'_>,
) -> Result<(), SignInRefused> {
    check_name(&app.config(), &account.name)?;
    // Before anything is written: a client in a loop fills no disk.
    let counted = app.sign_ins().by_account.take(now, &account.name);
    counted.map_err(|TooOften { after_s }| SignInRefused::TooOften { after_s })?;
    let at_provider = who.at_provider.as_ref();
    let provider_session =
        at_provider.and_then(|session| at_provider::seal(app, &code_context(&new.sha256), session));
    let alone = app.sessions().change().await;
    let mut change = app.store().change().await?;
    let is_it = |known: &Account| {
        (&known.name, &known.provider, &known.issuer, &known.subject)
            == (&account.name, &account.provider, &account.issuer, &account.subject)
    };
    if let Some(other) = change.accounts_like(account).await?.into_iter().find(|one| !is_it(one)) {
        change.abandon().await?;
        return Err(SignInRefused::OtherAccount {
            name: account.name.clone(),
            known: other.name,
            issuer: other.issuer,
        });
    }
    if change.code(&new.sha256).await?.is_some() {
        change.abandon().await?;
        return Err(SignInRefused::DeviceDone);
    }
    let before = change.account(&account.name).await?;
    change.keep_account(account).await?;
    let lost = groups_lost::judge(app, &mut change, now, account, before.as_ref()).await?;
    change.keep_code(&NewCode { provider_session, ..new.clone() }).await?;
    let mut detail = json!({
        "account": account.name, "provider": account.provider, "client": new.client, "source": who.source,
        "groups_unknown": account.groups_unknown, "factor": who.factor, "device": new.device,
    });
    said_groups::note(&app.config(), account, &mut detail);
    let act = ServiceAct { actor: &account.name, action: ServiceAction::SignedIn, detail: &detail };
    let mut happened = vec![Happened::Service(act)];
    happened.extend(lost.happened());
    let recorded = change.record(now, &happened).await?;
    // Before the commit, so that no grant is made by the answer of before after its end was judged. An account that is then not
    // kept has no session, and is of no use to a caller.
    app.accounts().put(entry(account));
    if let Err(cause) = recorded.commit().await {
        before.iter().for_each(|before| app.accounts().put(entry(before)));
        return Err(cause.into());
    }
    drop(alone);
    groups_lost::committed(app, &account.name, &lost).await;
    tracing::info!(
        account = account.name,
        provider = account.provider,
        source = who.source,
        device = new.device.is_some(),
        "signed in"
    );
    Ok(())
}

/// The name is one that the rest of the service takes, and no listed caller has one that looks like it.
fn check_name(config: &Config, name: &str) -> Result<(), SignInRefused> {
    text::configured_name(name).map_err(|why| SignInRefused::Name { name: escaped(name), why })?;
    let folded = Folded::new(name);
    let people = config.people.iter().map(|person| ("people", &person.name));
    let proxies = config.proxies.iter().map(|proxy| ("proxies", &proxy.name));
    match people.chain(proxies).find(|(_, other)| folded.is(other)) {
        Some((list, other)) => Err(SignInRefused::NameTaken {
            name: name.to_owned(),
            other: format!("`{other}` in `{list}`"),
        }),
        None => Ok(()),
    }
}

/// The longest name that a message repeats, in characters.
const SHOWN: usize = 128;

/// Fit to be shown: the name is not what the service takes.
fn escaped(name: &str) -> String {
    name.chars().take(SHOWN).flat_map(char::escape_debug).collect()
}

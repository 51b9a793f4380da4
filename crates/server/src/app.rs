//! What every endpoint works with.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use breakglass_api::evidence::Action;
use tokio::sync::watch;

use crate::auth::chain_owners::ChainOwners;
use crate::auth::live_sessions::LiveSessions;
use crate::clock::Moment;
use crate::config::{Accounts, Config, Shifts};
use crate::configurations::Configurations;
use crate::definitions::Definitions;
use crate::evidence::Evidence;
use crate::feed::Feed;
use crate::held_ends::HeldEnds;
use crate::incidents::Incidents;
use crate::issuer::{Issuer, ProviderSessionKey};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::probes::Probes;
use crate::random::Randomness;
use crate::readiness::Readiness;
use crate::reload::Reloads;
use crate::request_metrics::RevokedBy;
use crate::signin::{Providers, SignIns};
use crate::store::Store;
use crate::timekeeper::{Doubt, Timekeeper, TrustedMoment};
use crate::tls::Endpoint;
use crate::untold_heads::UntoldHeads;
use crate::waits::Waits;

/// The service's parts; a handle that is cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    setup: RwLock<Setup>,
    store: Store,
    evidence: Evidence,
    outbox: Outbox,
    issuer: Issuer,
    timekeeper: Arc<Timekeeper>,
    accounts: Arc<Accounts>,
    sessions: LiveSessions,
    reloads: Reloads,
    randomness: Arc<Randomness>,
    sign_ins: SignIns,
    provider_session_key: ProviderSessionKey,
    metrics: Metrics,
    feed: Feed,
    readiness: Readiness,
    news: watch::Sender<News>,
    waits: Waits,
    probes: Probes,
    configurations: Configurations,
    tls: OnceLock<Vec<Arc<Endpoint>>>,
    untold_heads: UntoldHeads,
    held_ends: HeldEnds,
    incidents: Incidents,
    shifts: Arc<Shifts>,
}

/// What the configuration file says, and what follows from it: a reload replaces all of it at once.
#[derive(Clone)]
struct Setup {
    config: Arc<Config>,
    definitions: Arc<Definitions>,
    chain_owners: Arc<ChainOwners>,
    providers: Arc<Providers>,
    digest: Option<Arc<str>>,
}

impl Setup {
    fn new(
        configured: Configured,
        accounts: &Arc<Accounts>,
        shifts: &Arc<Shifts>,
        randomness: &Arc<Randomness>,
    ) -> Setup {
        let Configured { mut config, definitions, digest } = configured;
        config.people.sign_in(
            Arc::clone(accounts),
            config.provider_trust(),
            config.directory_ages(),
        );
        if let Some(source) = config.on_call.clone() {
            config.people.be_on_call(source, Arc::clone(shifts));
        }
        let chain_owners = Arc::new(ChainOwners::new(&config.proxies));
        let providers = Arc::new(Providers::new(&config.identity_providers, randomness));
        let (config, definitions) = (Arc::new(config), Arc::new(definitions));
        Setup { config, definitions, chain_owners, providers, digest: digest.map(Arc::from) }
    }
}

/// A configuration with what the files say that it names.
#[derive(Debug)]
pub struct Configured {
    /// The configuration.
    pub config: Config,
    /// What its files of definitions say.
    pub definitions: Definitions,
    /// The digest of the files that it was in; nothing for one that was in none.
    pub digest: Option<String>,
}

/// A configuration that names no other file.
impl From<Config> for Configured {
    fn from(config: Config) -> Configured {
        Configured { config, definitions: Definitions::default(), digest: None }
    }
}

/// What wakes those who wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// Grows with every change of state.
    pub changes: u64,
    /// The service is about to end: who waits gets its answer now.
    pub stopping: bool,
}

impl App {
    /// A service of these parts.
    #[must_use]
    pub fn new(
        configured: impl Into<Configured>,
        store: Store,
        issuer: Issuer,
        timekeeper: Timekeeper,
        randomness: Randomness,
        metrics: Metrics,
    ) -> App {
        let configured: Configured = configured.into();
        let news = watch::Sender::new(News::default());
        let now = timekeeper.now();
        let timekeeper = Arc::new(timekeeper);
        let randomness = Arc::new(randomness);
        let clock = Arc::clone(&timekeeper);
        let accounts = Arc::new(Accounts::new(move || clock.now()));
        let clock = Arc::clone(&timekeeper);
        let shifts = Arc::new(Shifts::new(move || clock.now()));
        let feed = Feed::new(Some(now));
        let evidence = Evidence::new(&configured.config);
        let outbox = Outbox::new(&configured.config);
        let Config { key_directory, database, .. } = &configured.config;
        let provider_session_key = ProviderSessionKey::new(key_directory, database);
        App(Arc::new(Parts {
            setup: RwLock::new(Setup::new(configured, &accounts, &shifts, &randomness)),
            accounts,
            sessions: LiveSessions::default(),
            store,
            evidence,
            outbox,
            issuer,
            timekeeper,
            reloads: Reloads::new(now),
            sign_ins: SignIns::new(&randomness),
            provider_session_key,
            randomness,
            metrics,
            feed,
            readiness: Readiness::new(),
            news,
            waits: Waits::default(),
            probes: Probes::default(),
            configurations: Configurations::default(),
            tls: OnceLock::new(),
            untold_heads: UntoldHeads::default(),
            held_ends: HeldEnds::default(),
            incidents: Incidents::default(),
            shifts,
        }))
    }

    /// The configuration as it is now. Who needs several things of it asks once: a reload may come in between.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.setup().config
    }

    /// The configuration as it is now, with the digest of the files that it was in.
    #[must_use]
    pub fn config_and_digest(&self) -> (Arc<Config>, Option<Arc<str>>) {
        let Setup { config, digest, .. } = self.setup();
        (config, digest)
    }

    /// What the scopes open, as far as files define it.
    #[must_use]
    pub fn definitions(&self) -> Arc<Definitions> {
        self.setup().definitions
    }

    /// The identity providers at which people sign in.
    #[must_use]
    pub fn providers(&self) -> Arc<Providers> {
        self.setup().providers
    }

    /// The sign-ins that are under way.
    #[must_use]
    pub fn sign_ins(&self) -> &SignIns {
        &self.0.sign_ins
    }

    /// What seals the sessions at identity providers.
    #[must_use]
    pub fn provider_session_key(&self) -> &ProviderSessionKey {
        &self.0.provider_session_key
    }

    /// Whose audit chains are whose.
    #[must_use]
    pub fn chain_owners(&self) -> Arc<ChainOwners> {
        self.setup().chain_owners
    }

    /// Takes another configuration: every request that begins from now on sees it. Who waits looks again.
    pub fn reconfigure(&self, configured: impl Into<Configured>) {
        let setup =
            Setup::new(configured.into(), &self.0.accounts, &self.0.shifts, &self.0.randomness);
        // It is replaced in one assignment.
        *self.0.setup.write().unwrap_or_else(PoisonError::into_inner) = setup;
        self.0.news.send_modify(|news| news.changes = news.changes.wrapping_add(1));
        self.0.feed.wake();
        self.0.waits.wake_all();
    }

    fn setup(&self) -> Setup {
        self.0.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The evidence database.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.0.evidence
    }

    /// What the sinks are told of.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// The signing keys.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// The random numbers.
    #[must_use]
    pub fn randomness(&self) -> &Randomness {
        &self.0.randomness
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The feed of revocations.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// Whether the service can do its work.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// The clock, and what is believed of it.
    #[must_use]
    pub fn timekeeper(&self) -> &Timekeeper {
        &self.0.timekeeper
    }

    /// How the configuration came to be what it is.
    #[must_use]
    pub fn reloads(&self) -> &Reloads {
        &self.0.reloads
    }

    /// The present moment as the service believes it: for what only reads, writes down or ends. It is there
    /// also where the clock is wrong.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.0.timekeeper.now()
    }

    /// The present moment, for what opens access: requests, approvals, tokens.
    ///
    /// # Errors
    /// A refusal while the clock is not believed.
    pub fn trusted_now(&self) -> Result<TrustedMoment, Doubt> {
        self.0.timekeeper.trusted_now()
    }

    /// The earliest time that it could be: what decides whether a grant is over that is to be revoked, and
    /// whether a revocation is still listed.
    #[must_use]
    pub fn floor(&self) -> Moment {
        self.0.timekeeper.floor()
    }

    /// Told of every change from now on.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<News> {
        self.0.news.subscribe()
    }

    /// Who waits for which request.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        &self.0.waits
    }

    /// The people who have signed in at identity providers.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    /// The sessions that live.
    #[must_use]
    pub fn sessions(&self) -> &LiveSessions {
        &self.0.sessions
    }

    /// The challenges that live.
    #[must_use]
    pub fn probes(&self) -> &Probes {
        &self.0.probes
    }

    /// What the configurations of proxies define, as they say.
    #[must_use]
    pub fn configurations(&self) -> &Configurations {
        &self.0.configurations
    }

    /// Where the head of the trail is not told at present.
    #[must_use]
    pub fn untold_heads(&self) -> &UntoldHeads {
        &self.0.untold_heads
    }

    /// The people whose grants do not end although they lost a group.
    #[must_use]
    pub fn held_ends(&self) -> &HeldEnds {
        &self.0.held_ends
    }

    /// Who is on call, as it was said last.
    #[must_use]
    pub fn shifts(&self) -> &Shifts {
        &self.0.shifts
    }

    /// The calls to the system that keeps incidents.
    #[must_use]
    pub fn incidents(&self) -> &Incidents {
        &self.0.incidents
    }

    /// The TLS of the listeners, once they are open.
    #[must_use]
    pub fn tls(&self) -> &[Arc<Endpoint>] {
        self.0.tls.get().map_or(&[], Vec::as_slice)
    }

    /// The listeners are open, with this TLS.
    pub(crate) fn listens_with(&self, tls: Vec<Arc<Endpoint>>) {
        // A service opens its listeners once.
        let _ = self.0.tls.set(tls);
    }

    /// Tells those who wait of a change of this request, and counts it.
    pub(crate) fn changed(&self, action: Action, request: &str) {
        self.changed_many(action, 1);
        self.0.waits.wake(request);
    }

    /// Tells those who wait that something happened to the service itself.
    pub(crate) fn noted(&self) {
        self.0.news.send_modify(|news| news.changes = news.changes.wrapping_add(1));
    }

    /// Tells those who wait of `count` changes at once, and counts them.
    fn changed_many(&self, action: Action, count: usize) {
        self.0.metrics.changed(action, count);
        self.0.news.send_modify(|news| news.changes = news.changes.wrapping_add(1));
    }

    /// Tells those who wait of `count` revocations. When it is done, the feed lists them: who has
    /// an answer about a revocation finds it there.
    pub(crate) async fn revoked(&self, how: RevokedBy, count: usize) {
        self.changed_many(Action::Revoke, count);
        self.0.metrics.requests().revoked(how, count);
        // A failure is in the log, and no reason to call the revocation one.
        let _ = self.0.feed.look(&self.0.store, self.floor()).await;
    }

    /// Lets those who wait have their answer, because the service ends.
    pub fn stop(&self) {
        self.0.news.send_modify(|news| news.stopping = true);
        self.0.feed.wake();
        self.0.waits.wake_all();
    }

    /// Whether the service is about to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.news.borrow().stopping
    }
}

//! What the configurations of proxies define, as the proxies report it (`POST /v1/proxies/configurations`).
//!
//! 1. By credential: what came with one never stands for a proxy that has another. A credential that is replaced begins
//!    anew.
//! 2. A report that contradicts an earlier one of the same configuration does not take its place: a scope then counts as the
//!    approved one only where all of them say so.
//! 3. In memory only, as the list of proxies is: it says what those that live define. After a restart the answer to each
//!    proxy's next poll asks for it again. What was defined at the time of a request is in the proxies' logs.
//! 4. Bounded for each credential, in configurations, in reports a minute, and in how often is asked.

mod reports;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use breakglass_api::opens::DefinedBy;
use breakglass_types::configurations::ReportedConfiguration;
use breakglass_types::scope_rules::ScopeDigest;

use crate::clock::Moment;
use crate::config::{Config, Digest, Proxy};
use reports::{Content, Contents, Reports, Says};

pub use reports::{MAX_CONFIGURATIONS, MAX_REPORTS, Taken};

/// What proxies have said of their configurations.
#[derive(Debug, Default)]
pub struct Configurations(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    by_credential: HashMap<Digest, Reports>,
    /// A fleet has few configurations and many credentials: each content is held once.
    contents: Contents,
}

/// So many live proxies with one credential poll with one configuration.
#[derive(Debug, Clone)]
pub struct Polling {
    /// Their credential.
    pub proxy: Arc<Proxy>,
    /// The digest of the configuration, as they say it.
    pub configuration: Option<Box<str>>,
    /// How many.
    pub count: u64,
}

impl Configurations {
    /// Whether this configuration is to be asked for: it is not known from this credential, and it was not asked for just
    /// now.
    pub fn is_wanted(&self, now: Moment, credential: &Digest, configuration: &str) -> bool {
        let mut memory = self.memory();
        memory.by_credential.entry(*credential).or_default().is_wanted(now, configuration)
    }

    /// Takes a report. What came with credentials that `config` does not have any more is forgotten in time.
    pub fn report(
        &self,
        now: Moment,
        config: &Config,
        credential: &Digest,
        report: ReportedConfiguration,
    ) -> Taken {
        let mut memory = self.memory();
        let Memory { by_credential, contents } = &mut *memory;
        // Not each time: with thousands of credentials it is work, and those that are left over are never asked.
        if by_credential.len() > config.proxies.len() {
            let there: HashSet<Digest> =
                config.proxies.iter().map(|one| one.credential_id()).collect();
            by_credential.retain(|known, _| there.contains(known));
        }
        let ReportedConfiguration { configuration, audiences, scopes } = report;
        let content = contents.hold(Content { audiences, scopes });
        let taken = by_credential.entry(*credential).or_default().take(now, configuration, content);
        contents.forget_unused();
        taken
    }

    /// How the live proxies define a scope for an audience. Those that do not have the audience, or the scope, are not
    /// counted; nor is what a credential says of audiences that are not its own.
    #[must_use]
    pub fn defined_by(
        &self,
        live: &[Polling],
        audience: &str,
        scope: &str,
        digest: Option<ScopeDigest>,
    ) -> DefinedBy {
        let audiences = [audience.to_owned()];
        let memory = self.memory();
        let mut defined = DefinedBy::default();
        for Polling { proxy, configuration, count } in live {
            if !proxy.serves_any(&audiences) {
                continue;
            }
            let reports = memory.by_credential.get(&proxy.credential_id());
            let says =
                reports.zip(configuration.as_deref()).map_or(Says::Nothing, |(reports, name)| {
                    reports.says(name, audience, scope, digest)
                });
            let counter = match says {
                Says::Same => &mut defined.same,
                Says::Other => &mut defined.other,
                Says::Nothing => &mut defined.unknown,
                Says::Elsewhere => continue,
            };
            *counter = counter.saturating_add(*count);
        }
        defined
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a change leaves half done is a content that is held and not used, or a report that comes again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

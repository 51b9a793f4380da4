//! Which ring of signing keys is for which audience.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use super::audience_keys::AudienceKeys;
use super::error::KeyError;
use super::keys::KeyDirectory;
use super::ring::Ring;
use crate::clock::Moment;
use crate::config::KeyRingSettings;
use crate::random::Randomness;

/// The default ring, and those of audiences with keys of their own.
#[derive(Debug, Clone)]
pub struct Rings {
    default: Arc<Ring>,
    by_audience: BTreeMap<String, Arc<Ring>>,
}

/// How the first key of a ring is made that has none.
#[derive(Debug, Clone, Copy)]
pub struct FirstKey<'a> {
    /// When.
    pub now: Moment,
    /// How long the first key of an audience is published before it signs, in seconds. Until then the default ring signs.
    pub publish_s: i64,
    /// What it is made of.
    pub randomness: &'a Randomness,
}

impl Rings {
    /// The rings with these settings, by the files that are there.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to a directory, or no key in it can be used.
    pub fn read(settings: (KeyRingSettings, Vec<KeyRingSettings>)) -> Result<Rings, KeyError> {
        let (default, audiences) = settings;
        let default = Arc::new(Ring::read(default)?);
        Rings { default, by_audience: BTreeMap::new() }.with(audiences, Ring::read)
    }

    /// The same, and makes the first key of each ring that has none. In a service that has never had a key, all sign at
    /// once: no proxy knows another one, and no token is signed by another ring.
    ///
    /// # Errors
    /// [`KeyError`] if others can write to a directory, or no key in it can be used, or none can be made.
    pub fn open(
        settings: (KeyRingSettings, Vec<KeyRingSettings>),
        first: FirstKey<'_>,
    ) -> Result<Rings, KeyError> {
        let directory = KeyDirectory::from(&settings.0);
        let mut signs_at_once = false;
        if directory.is_empty()? {
            let kid = directory.add(first.now, first.randomness)?;
            tracing::info!(kid, "made the first signing key");
            signs_at_once = true;
        }
        for ring in &settings.1 {
            prepare(ring, first, signs_at_once)?;
        }
        Rings::read(settings)
    }

    /// The rings with other settings. Those whose files are the same keep their keys, also those that are in memory alone;
    /// an audience that is new gets its first key.
    ///
    /// # Errors
    /// [`KeyError`] if the files of a new one cannot be used, or none can be made.
    pub fn resettled(
        &self,
        (default, audiences): (KeyRingSettings, Vec<KeyRingSettings>),
        first: FirstKey<'_>,
    ) -> Result<Rings, KeyError> {
        let default = Arc::new(self.default.resettled(default));
        let rings = Rings { default, by_audience: BTreeMap::new() };
        rings.with(audiences, |settings| {
            let known =
                settings.audience.as_ref().and_then(|audience| self.by_audience.get(audience));
            prepare(&settings, first, false)?;
            // Of a ring that is not to sign, the files count alone: they say that its keys wait.
            let same = known.filter(|known| settings.signs && known.has_files_of(&settings));
            same.map_or_else(
                || Ring::read(settings.clone()),
                |known| Ok(known.resettled(settings.clone())),
            )
        })
    }

    fn with(
        mut self,
        audiences: Vec<KeyRingSettings>,
        ring: impl Fn(KeyRingSettings) -> Result<Ring, KeyError>,
    ) -> Result<Rings, KeyError> {
        for settings in audiences {
            let ring = ring(settings)?;
            self.all().try_for_each(|other| have_two_folders(&ring, other))?;
            if let Some(audience) = ring.audience().map(str::to_owned) {
                self.by_audience.insert(audience, Arc::new(ring));
            }
        }
        Ok(self)
    }

    /// The default ring, then the others in the order of their audiences.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Ring>> {
        std::iter::once(&self.default).chain(self.by_audience.values())
    }

    /// The ring of all audiences that have no keys of their own.
    #[must_use]
    pub fn default_ring(&self) -> &Arc<Ring> {
        &self.default
    }

    /// The ring of an audience with keys of its own.
    #[must_use]
    pub fn of_audience(&self, audience: &str) -> Option<&Arc<Ring>> {
        self.by_audience.get(audience)
    }

    /// The keys for the tokens of this audience, as they are now.
    pub(super) fn keys_for(&self, audience: &str) -> AudienceKeys {
        AudienceKeys::new(self.of_audience(audience).map(AsRef::as_ref), &self.default)
    }

    /// Whether this ring signs, or is about to sign, tokens of one of these audiences; nothing for all of them. The default
    /// ring signs also for an audience of whose own keys none signs yet.
    #[must_use]
    pub fn signs_for(&self, ring: &Ring, audiences: Option<&[String]>) -> bool {
        audiences.is_none_or(|audiences| {
            audiences.iter().any(|audience| match ring.audience() {
                Some(own) => own == audience,
                None => !self.keys_for(audience).has_own_signer(),
            })
        })
    }
}

/// Makes the first key of an audience's ring that has none, and lets those wait that are not to sign: so they begin anew,
/// once proxies have them, where they are to sign again.
fn prepare(
    settings: &KeyRingSettings,
    first: FirstKey<'_>,
    signs_at_once: bool,
) -> Result<(), KeyError> {
    let FirstKey { now, publish_s, randomness } = first;
    let directory = KeyDirectory::from(settings);
    if !directory.is_empty()? {
        return if settings.signs { Ok(()) } else { directory.let_wait(now) };
    }
    let audience = settings.audience.as_deref();
    if signs_at_once {
        let kid = directory.add(now, randomness)?;
        tracing::info!(kid, audience, "made the first signing key of an audience");
        return Ok(());
    }
    let from = now.seconds().saturating_add(publish_s);
    let kid = directory.add_from(now, from, randomness)?.kid;
    tracing::info!(
        kid,
        audience,
        signs_from = crate::clock::rfc3339(from),
        "made the first signing key of an audience: until it signs, the keys of `key_directory` do"
    );
    Ok(())
}

/// By where the folders are, whatever their paths are.
fn have_two_folders(ring: &Ring, other: &Ring) -> Result<(), KeyError> {
    let place = |ring: &Ring| {
        let path = ring.directory().path();
        fs::canonicalize(path).map_err(|error| KeyError::Io(path.to_owned(), error))
    };
    if place(ring)? != place(other)? {
        return Ok(());
    }
    let path = |ring: &Ring| ring.directory().path().to_owned();
    Err(KeyError::Shared { path: path(ring), other: path(other) })
}

//! The signing keys, and the key of the trail.

use std::path::Path;

use rustix::fs::{Access, access};

use super::report::{Finding, Report, quoted};
use crate::clock::{Moment, rfc3339};
use crate::config::{Config, KeyRingSettings};
use crate::issuer::{KeyDirectory, KeyError, KeyState, TrailKeys};
use crate::key_switch::ROUND_S;

/// How long after its time a key signs at the latest if no proxy holds it up, in seconds: also after a restart.
const LATE_S: i64 = 2 * ROUND_S;

pub(super) fn look(config: &Config, now: Moment, report: &mut Report) {
    let (default, rings) = config.key_rings();
    let can_be_read = ring(&default, now, report);
    for settings in &rings {
        ring(settings, now, report);
    }
    // It is in the folder of the default ring.
    if can_be_read {
        trail(config, report);
    }
}

/// One ring of signing keys. Whether its folder can be looked at.
fn ring(settings: &KeyRingSettings, now: Moment, report: &mut Report) -> bool {
    let path = &settings.key_directory;
    let directory = KeyDirectory::from(settings);
    let warnings = match directory.check_access() {
        Ok(warnings) => warnings,
        Err(error) => {
            report.checked([finding(&error, path)]);
            return false;
        }
    };
    report.checked(warnings.into_iter().map(|what| {
        let fix = "take the right to write away, unless the platform needs it: `chmod g-w,o-w` that directory";
        Finding::new(what, fix)
    }));
    if settings.wrapped_by.is_some() {
        report.checked(directory.check_wrapping().err().map(|error| finding(&error, path)));
    }
    signing(&directory, settings, now, report);
    if let Some(every) = settings.rotate_every.filter(|_| settings.signs) {
        schedule(&directory, path, every, now, report);
    }
    true
}

fn signing(directory: &KeyDirectory, settings: &KeyRingSettings, now: Moment, report: &mut Report) {
    let (path, wrapped_by) = (&settings.key_directory, settings.wrapped_by.as_deref());
    let states = match directory.list(now) {
        Ok(states) => states,
        Err(error) => {
            report.checked([finding(&error, path)]);
            return;
        }
    };
    report.checked(states.is_empty().then(|| finding(&KeyError::None(path.clone()), path)));
    for (name, state) in states {
        let fault = directory.check(&name).err();
        let over = (fault.is_none() && state == KeyState::Over).then(|| {
            Finding::new(
                format!("{}: no grant that this key signed holds any more", file(path, &name)),
                format!("breakglass keys retire {} --key-dir {}", name.kid, quoted(path)),
            )
        });
        let late = match state {
            KeyState::Waits(from)
                if settings.signs && from.saturating_add(LATE_S) < now.seconds() =>
            {
                Some(Finding::new(
                    format!(
                        "{}: it should sign since {}, and waits for proxies that do not have it, or no service runs",
                        file(path, &name),
                        rfc3339(from)
                    ),
                    format!(
                        "see in the log of the service, or by `breakglass proxies`, which do not have it, and why; `breakglass \
                     keys rotate --force --key-dir {}` ends the wait",
                        quoted(path)
                    ),
                ))
            }
            _ => None,
        };
        let plain = wrapped_by
            .filter(|_| fault.is_none() && matches!(directory.is_wrapped(&name), Ok(false)));
        let plain = plain.map(|wrapping| wrap(&file(path, &name), wrapping));
        let fault = fault.map(|error| finding(&error, path));
        report.checked(fault.into_iter().chain(over).chain(late).chain(plain));
    }
}

/// A key that was made before there was a key to wrap it.
fn wrap(key: &str, wrapping: &Path) -> Finding {
    Finding::new(
        format!("{key}: this signing key is not wrapped, and `signing_keys.wrapped_by` is set"),
        format!(
            "(umask 077; openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -passout file:{} -in {key} -out {key}.new && mv \
             {key}.new {key})",
            quoted(wrapping)
        ),
    )
}

/// `signing_keys.rotate_every`.
fn schedule(directory: &KeyDirectory, path: &Path, every: i64, now: Moment, report: &mut Report) {
    let shown = quoted(path);
    report.checked(access(path, Access::WRITE_OK).err().map(|error| {
        Finding::new(
            format!("signing_keys.rotate_every: the service cannot write to {shown}: {error}"),
            format!(
                "let its user write to {shown}, or take `rotate_every` out of the configuration and run `breakglass keys \
                 rotate` where the keys are kept"
            ),
        )
    }));
    let keys = directory.list(now).unwrap_or_default();
    let signs = keys.iter().find(|(_, state)| *state == KeyState::Signs);
    let old = signs.filter(|(name, _)| {
        let waits = keys.iter().any(|(name, _)| name.waits());
        !waits && name.begins().saturating_add(every).saturating_add(LATE_S) < now.seconds()
    });
    report.checked(old.map(|(name, _)| {
        Finding::new(
            format!(
                "signing_keys.rotate_every: {} signs since {}, which is longer than {} days",
                file(path, name),
                rfc3339(name.begins()),
                every / (24 * 60 * 60)
            ),
            format!(
                "start the service, which makes a successor within a minute, and says in its log why not; or `breakglass \
                 keys rotate --key-dir {shown}`"
            ),
        )
    }));
}

fn trail(config: &Config, report: &mut Report) {
    let path = quoted(&config.key_directory);
    let (keys, faults) = match TrailKeys::check(&config.key_directory, &config.database) {
        Ok(found) => found,
        Err(error) => return report.checked([finding(&error, &config.key_directory)]),
    };
    for error in &faults {
        report.checked([finding(error, &config.key_directory)]);
    }
    report.checked((keys == 0).then(|| {
        Finding::new(
            format!("{path}: there is no key of the trail that can be used"),
            format!(
                "put `trail-*.pem` back into {path} from where the keys are kept; a service that has never had one \
                 makes it at its start"
            ),
        )
    }));
}

fn file(directory: &Path, name: &crate::issuer::KeyName) -> String {
    quoted(&directory.join(name.to_string()))
}

/// What is wrong with a key or the directory, with what mends it.
fn finding(error: &KeyError, directory: &Path) -> Finding {
    let keys = quoted(directory);
    let fix = match error {
        KeyError::Io(path, _) => format!(
            "make it readable for the service's user: `ls -ld {}`; the first key is made at the first start",
            quoted(path)
        ),
        KeyError::Exposed(path) => format!("chmod 600 {}", quoted(path)),
        KeyError::Writable { path, bits, .. } => format!("chmod {bits}-w {}", quoted(path)),
        KeyError::Foreign { path, us, .. } => format!("chown {us} {}", quoted(path)),
        KeyError::Invalid(path) => format!(
            "put {} back from where the keys are kept; if it is lost: `breakglass keys rotate --force --key-dir \
             {keys}`, then remove the file",
            quoted(path)
        ),
        KeyError::InvalidTrailKey(path)
        | KeyError::InvalidSince(path)
        | KeyError::InvalidProviderSessionKey(path) => {
            format!("put {} back from where the keys are kept", quoted(path))
        }
        KeyError::Wrapping(path) => format!(
            "put the key that wrapped them back into {}; where none is wrapped yet: `openssl rand -hex 32`, mode 600",
            quoted(path)
        ),
        KeyError::OtherWrapping { wrapping, .. } => {
            format!("put the key that wrapped it back into {}", quoted(wrapping))
        }
        KeyError::Wrapped(_) => {
            "add `wrapped_by`, the file with the key that wrapped it, under `[signing_keys]`"
                .to_owned()
        }
        KeyError::Shared { .. } => {
            "give the entry of `signing_keys.audiences` a `key_directory` of its own".to_owned()
        }
        KeyError::None(_) => format!("breakglass keygen signing --key-dir {keys}"),
    };
    Finding::new(error.to_string(), fix)
}

/// Each key and when it was made or began to sign, for the check of the clock.
pub(super) fn made(config: &Config) -> Vec<(String, i64)> {
    let (default, rings) = config.key_rings();
    let rings = std::iter::once(&default).chain(&rings);
    let names = rings.flat_map(|ring| KeyDirectory::from(ring).names().unwrap_or_default());
    let made = |name: crate::issuer::KeyName| {
        (format!("{} is of {}", name.kid, rfc3339(name.made_at)), name.made_at)
    };
    names.map(made).collect()
}

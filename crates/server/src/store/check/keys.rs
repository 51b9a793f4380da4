//! The keys that sign tokens, and those that sign the trail.

use std::path::Path;

use super::report::{Part, Report};
use crate::clock::Moment;
use crate::config::Config;
use crate::issuer::{Issuer, Rings, TrailKeys};

/// Checks them, and returns those of the trail.
pub(super) fn check(config: &Config, now: Moment, report: &mut Report) -> Option<TrailKeys> {
    signing(config, now, report);
    match TrailKeys::existing(&config.key_directory, &config.database) {
        Ok(Some(keys)) => {
            let public = keys.public();
            report.checked.trail_keys = u64::try_from(public.len()).unwrap_or(u64::MAX);
            for name in trail_files(&config.key_directory) {
                if !public.iter().any(|(kid, _)| name.ends_with(&format!("-{kid}.pem"))) {
                    report
                        .found(Part::Keys, format!("{name}: this key of the trail cannot be used"));
                }
            }
            Some(keys)
        }
        Ok(None) => {
            report.found(
                Part::Keys,
                format!(
                    "{}: there is no key of the trail that can be used",
                    config.key_directory.display()
                ),
            );
            None
        }
        Err(error) => {
            report.found(Part::Keys, error.to_string());
            None
        }
    }
}

fn signing(config: &Config, now: Moment, report: &mut Report) {
    let rings = match Rings::read(config.key_rings()) {
        Ok(rings) => rings,
        Err(error) => return report.found(Part::Keys, error.to_string()),
    };
    let mut count = 0_usize;
    for ring in rings.all() {
        let (usable, unusable) = ring.key_files();
        count = count.saturating_add(usable);
        if unusable > 0 {
            let place = ring.directory().path().display();
            let text = format!(
                "{place}: {unusable} files of signing keys cannot be used, beside {usable} that can"
            );
            report.found(Part::Keys, text);
        }
    }
    report.checked.signing_keys = u64::try_from(count).unwrap_or(u64::MAX);
    if Issuer::new(&config.issuer, rings).jwks(now).keys.is_empty() {
        report.found(Part::Keys, "no signing key is published");
    }
}

/// The names of the files of the trail's keys in this directory.
fn trail_files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_key = |name: &String| name.starts_with("trail-") && name.ends_with(".pem");
    names.filter(is_key).collect()
}

//! What `breakglass audit verify --json` said of a log, in short: for a reviewer who attaches it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use breakglass_api::reviews::LogVerdict;
use breakglass_types::hex;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::client::Failure;

/// What is read of the verdict.
#[derive(Deserialize)]
struct Said {
    verdict: String,
    checked: u64,
    integrity: Counted,
    completeness: Counted,
    notes: Counted,
}

/// How many findings there were of each kind.
#[derive(Deserialize)]
struct Counted {
    counts: BTreeMap<String, u64>,
}

/// Reads the file.
///
/// # Errors
/// [`Failure::Invalid`] where it cannot be read, or is no verdict.
pub(crate) fn read(path: &Path) -> Result<LogVerdict, Failure> {
    let invalid =
        |why: String| Failure::Invalid(format!("--log-verdict {}: {why}", path.display()));
    let text = fs::read(path).map_err(|error| invalid(error.to_string()))?;
    let Said { verdict, checked, integrity, completeness, notes } = serde_json::from_slice(&text)
        .map_err(|error| {
        invalid(format!(
            "expected what `breakglass audit verify --json` writes, got something else: {error}"
        ))
    })?;
    let counts = [integrity, completeness, notes].into_iter().flat_map(|class| class.counts);
    let mut findings = BTreeMap::new();
    for (kind, count) in counts.filter(|(_, count)| *count > 0) {
        let sum: &mut u64 = findings.entry(kind).or_default();
        *sum = sum.saturating_add(count);
    }
    Ok(LogVerdict { sha256: hex::lower(&Sha256::digest(&text)), verdict, checked, findings })
}

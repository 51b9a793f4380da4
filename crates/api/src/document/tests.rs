//! The document in `docs/openapi.json` is what the types say.

use std::path::Path;

use super::document;

#[test]
fn the_interface_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = format!("{:#}\n", document());
    if std::env::var_os("BREAKGLASS_GENERATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == made, "docs/openapi.json is out of date: run `scripts/generate`");
}

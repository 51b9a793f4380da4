//! Which digest `sha256` is: by the code with which istio-agent fetches a module.

use std::process::Command;

use breakglass_tests::artefacts::{filter, root};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::mesh::control_plane;

fn fetched(path: &std::path::Path, sha256: &str) -> String {
    let output = control_plane().arg("pull").arg(path).arg(sha256).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_image_goes_by_its_manifests_digest_and_a_file_by_its_own() {
    let work = TempDir::new().unwrap();
    let (layout, tar) = (work.path().join("layout"), work.path().join("layout.tar"));
    std::fs::create_dir(&layout).unwrap();
    let module = filter();
    let made = Command::new(root().join("scripts/oci-layout"))
        .args([&module, &tar])
        .arg("0.1.0")
        .env("SOURCE_DATE_EPOCH", "0")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = String::from_utf8(made.stdout).unwrap();
    let manifest = said.trim().strip_prefix("the image's digest is sha256:").unwrap();
    let unpacked =
        Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&layout).status().unwrap();
    assert!(unpacked.success());
    let bytes = std::fs::read(&module).unwrap();
    let own: String =
        digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let accepted = format!("accepted: {} bytes\n", bytes.len());

    assert_eq!(fetched(&layout, manifest), accepted);
    let refused = fetched(&layout, &own);
    assert!(refused.contains(&format!("has checksum {manifest}, which does not match: {own}")));

    // A policy without rules, which refuses every request.
    let (_, instead) = refused.split_once("instead: ").unwrap();
    let instead: Value = serde_json::from_str(instead).unwrap();
    let kind = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
    assert_eq!(instead["typedConfig"]["@type"], kind);
    assert_eq!(instead["typedConfig"]["rules"], json!({}));

    assert_eq!(fetched(&module, &own), accepted);
    assert!(fetched(&module, manifest).starts_with("refused: "));
}

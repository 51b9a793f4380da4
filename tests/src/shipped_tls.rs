//! How the shipped Envoy speaks TLS to the approval service, with files of a test.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::artefacts::root;
use crate::manifests::objects;

/// The `transport_socket` of the cluster `approvals` in `envoy/envoy.yaml`, and the secrets that it names, whose files are in
/// `files` in place of `tls`: `ca.crt`, `gate-1.crt` and `gate-1.key`.
///
/// # Panics
/// When what is shipped has no such cluster, or `files` cannot be written.
#[must_use]
pub fn transport_socket(files: &Path) -> Value {
    let envoy = objects("envoy/envoy.yaml").remove(0);
    let clusters = envoy["static_resources"]["clusters"].as_array().unwrap();
    let approvals = clusters.iter().find(|cluster| cluster["name"] == "approvals").unwrap();
    let socket = approvals["transport_socket"].to_string();
    serde_json::from_str(&with_files(&socket, files)).unwrap()
}

/// The text of an Envoy configuration with the secrets of `envoy/certificates`, whose files are in `files`.
///
/// # Panics
/// When the text does not name them, or `files` cannot be written.
#[must_use]
pub fn with_files(text: &str, files: &Path) -> String {
    let mut text = text.to_owned();
    for name in ["client.yaml", "authority.yaml"] {
        let shipped = format!("envoy/certificates/{name}");
        let secret = fs::read_to_string(root().join(&shipped)).unwrap();
        let at = files.to_str().unwrap();
        let secret = secret
            .replace(" tls/", &format!(" {at}/"))
            .replace("path: tls}", &format!("path: {at}}}"));
        assert!(!secret.contains(" tls/") && !secret.contains(" tls}"), "{secret}");
        fs::write(files.join(name), secret).unwrap();
        assert!(text.contains(&shipped), "`{shipped}` in {text}");
        text = text.replace(&shipped, files.join(name).to_str().unwrap());
    }
    text
}

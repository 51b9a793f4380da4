//! The examples in the documents are what they look like: whoever is to read one takes it.

use std::fs;
use std::process::Command;

use breakglass_tests::artefacts::{binary, filter, root};
use breakglass_tests::certificates::Authority;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::manifests::objects;
use serde_json::Value;
use tempfile::TempDir;

use super::blocks::marked;
use super::{accepted, yaml};
use crate::manifests::complaints;

#[test]
fn every_configuration_in_the_documents_is_one() {
    let examples = marked("yaml filter");
    assert!(!examples.is_empty());
    for example in examples {
        accepted(&example.document.display().to_string(), &yaml(&example.text));
    }
}

#[test]
fn every_json_in_the_documents_can_be_read() {
    for example in marked("json") {
        let read = serde_json::from_str::<Value>(&example.text);
        assert!(read.is_ok(), "{}: {read:?} in\n{}", example.document.display(), example.text);
    }
}

#[test]
fn envoy_takes_every_part_of_a_cluster_in_the_documents() {
    let examples = marked("yaml cluster");
    assert!(!examples.is_empty());
    let directory = TempDir::new().unwrap();
    let authority = directory.path().join("authority.pem");
    fs::write(&authority, Authority::new().pem()).unwrap();
    for example in examples {
        let mut part = yaml(&example.text);
        // The only file that it names is not everywhere.
        let trusted = part
            .pointer_mut("/transport_socket/typed_config/common_tls_context/validation_context/trusted_ca/filename");
        *trusted.expect("TLS is verified") = authority.to_str().unwrap().into();
        let mut bootstrap = objects("envoy/envoy.yaml").remove(0);
        let clusters = bootstrap.pointer_mut("/static_resources/clusters").unwrap();
        let mut clusters = clusters.as_array_mut().unwrap().iter_mut();
        let cluster = clusters.find(|cluster| cluster["name"] == "approvals").unwrap();
        for (field, value) in part.as_object().unwrap() {
            cluster[field] = value.clone();
        }
        let text =
            bootstrap.to_string().replace("dist/breakglass.wasm", filter().to_str().unwrap());
        let (content, log) = Envoy::validate(&text);
        assert!(content, "{}: {log}", example.document.display());
        let wrong = text.replace("\"sni\"", "\"snj\"");
        assert!(!Envoy::validate(&wrong).0, "a field that Envoy does not know is found");
    }
}

#[test]
fn every_rule_of_an_authorization_policy_in_the_documents_is_one() {
    let examples = marked("yaml authorization");
    assert!(!examples.is_empty());
    let policies = objects("envoy/istio/base/authorizationpolicy.yaml");
    for example in examples {
        let mut policy = policies[0].clone();
        policy["spec"]["rules"] = yaml(&example.text);
        assert_eq!(complaints(&policy), Vec::<String>::new(), "{}", example.document.display());
        policy["spec"]["rules"][0]["wehn"] = policy["spec"]["rules"][0]["when"].take();
        assert!(!complaints(&policy).is_empty(), "a field that Istio does not know is found");
    }
}

#[test]
fn the_service_takes_every_configuration_of_it_in_the_documents() {
    let examples = marked("toml service");
    assert!(!examples.is_empty());
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.toml");
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        let mut service = Command::new(binary());
        service.args(["serve", "--check", "--config"]).arg(&file).current_dir(root());
        service.output().unwrap()
    };
    for example in examples {
        let checked = check(&example.text);
        assert!(checked.status.success(), "{}: {checked:?}", example.document.display());
        assert!(!check(&example.text.replace("listen", "lisden")).status.success());
    }
}

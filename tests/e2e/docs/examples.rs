//! The examples in the documents are what they look like: whoever is to read one takes it.

use std::fs;
use std::process::Command;

use breakglass_tests::artefacts::{binary, filter, root};
use breakglass_tests::certificates::{Authority, replace};
use breakglass_tests::client::get;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::Plan;
use breakglass_tests::manifests::{objects, read};
use breakglass_tests::service::Service;
use breakglass_tests::shipped_tls::with_files;
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::blocks::{Block, marked};
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

/// Envoy takes envoy/envoy.yaml with these fields put into one of its objects; with a field that it
/// does not know there it would not.
fn taken_by_envoy(example: &Block, place: &str, fields: &Value) {
    let validate = |fields: &Value| {
        let mut bootstrap = objects("envoy/envoy.yaml").remove(0);
        let object = bootstrap.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.extend(fields.as_object().unwrap().clone());
        let module = filter();
        let text = bootstrap.to_string().replace("dist/breakglass.wasm", module.to_str().unwrap());
        let files = TempDir::new().unwrap();
        // Where the cluster has another `transport_socket` than the shipped one, nothing names them.
        let names_files = text.contains("envoy/certificates/");
        Envoy::validate(&if names_files { with_files(&text, files.path()) } else { text })
    };
    let (content, log) = validate(fields);
    assert!(content, "{}: {log}", example.document.display());
    let mut wrong = fields.clone();
    wrong["no_such_field"] = json!(1);
    assert!(!validate(&wrong).0, "{place} is an object of Envoy's");
}

#[test]
fn envoy_takes_every_part_of_a_cluster_in_the_documents() {
    let examples = marked("yaml cluster");
    assert!(!examples.is_empty());
    let directory = TempDir::new().unwrap();
    let authority = directory.path().join("authority.pem");
    fs::write(&authority, Authority::new().pem()).unwrap();
    let file =
        "/transport_socket/typed_config/common_tls_context/validation_context/trusted_ca/filename";
    for example in &examples {
        let mut fields = yaml(&example.text);
        // The only file that it names is not everywhere.
        *fields.pointer_mut(file).expect("TLS is verified") = authority.to_str().unwrap().into();
        taken_by_envoy(example, "/static_resources/clusters/1", &fields);
    }
}

#[test]
fn the_service_outside_of_the_mesh_is_reached_by_the_cluster_in_the_document() {
    let [example] = &marked("yaml istio cluster")[..] else { panic!("one example") };
    let (authority, files) = (Authority::new(), TempDir::new().unwrap());
    let name = "approvals.breakglass.svc.cluster.local";
    for file in ["ca.crt", "clients.crt"] {
        replace(&files.path().join(file), &authority.pem());
    }
    authority.server(&[name, "127.0.0.1"]).write(files.path(), "service");
    authority.identity("payments").write(files.path(), "tls");
    let mut service = Service::start();
    service
        .secure(files.path(), "[[proxies]]\nname = \"payments\"\ncertificate_san = \"payments\"\n");
    let text = example.text.replace("/etc/breakglass-tls", files.path().to_str().unwrap());
    assert_ne!(text, example.text);
    let plan = Plan::asking(&service).through(service.proxies_address());
    let plan = plan.approvals_cluster(json!({"transport_socket": yaml(&text)["transport_socket"]}));
    // By the certificate alone.
    let plan = plan.filter(|filter| {
        filter["revocation"].as_object_mut().unwrap().remove("credential").unwrap();
    });
    let gate = plan.start();
    let (_, token) = service.grant(&["orders:read"], "10m");
    until("the keys", || {
        (gate.send(&get("/v1/orders/17").token(&token)).status == 200).then_some(())
    });
}

#[test]
fn envoy_takes_every_part_of_a_connection_manager_in_the_documents() {
    let examples = marked("yaml connection manager");
    assert!(!examples.is_empty());
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    examples.iter().for_each(|example| taken_by_envoy(example, manager, &yaml(&example.text)));
}

#[test]
fn envoy_takes_every_http_filter_in_the_documents() {
    let examples = marked("yaml http filter");
    assert!(!examples.is_empty());
    // In place of RBAC, behind breakglass.
    let rbac =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/1";
    examples.iter().for_each(|example| taken_by_envoy(example, rbac, &yaml(&example.text)));
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
fn the_certificates_of_cert_manager_in_the_documents_are_those_that_pods_mount() {
    let [example] = &marked("yaml cert-manager")[..] else { panic!("one example") };
    let certificates = read(&example.text).unwrap();
    let [service, proxy] = &certificates[..] else { panic!("two certificates") };
    let secret = |file: &str, name: &str| {
        let text = objects(file).remove(0).to_string();
        text.contains(&format!("\"secretName\":\"{name}\""))
    };
    let named =
        |certificate: &Value| certificate["spec"]["secretName"].as_str().unwrap().to_owned();
    assert!(secret("envoy/kubernetes/deployment.yaml", &named(service)));
    assert!(secret("envoy/gateway/envoyproxy.yaml", &named(proxy)));
    let names = |certificate: &Value| certificate["spec"]["dnsNames"].as_array().unwrap().clone();
    // As the proxies of Envoy Gateway verify it, and as the service knows a proxy.
    let bootstrap = objects("envoy/gateway/envoyproxy.yaml").remove(0)["spec"]["bootstrap"].take();
    let sni =
        bootstrap["jsonPatches"][0]["value"]["transport_socket"]["typed_config"]["sni"].clone();
    assert!(names(service).contains(&sni), "{sni}");
    let listeners = fs::read_to_string(root().join("envoy/kubernetes/listeners.toml")).unwrap();
    for name in names(proxy) {
        assert!(listeners.contains(&format!("certificate_san = {name}")), "{name}");
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
    // A part stands at the end of a whole one.
    let whole = &marked("toml service")[0].text;
    let parts = marked("toml service part");
    assert!(!parts.is_empty());
    for part in parts {
        let checked = check(&format!("{whole}\n\n{}", part.text));
        assert!(checked.status.success(), "{}: {checked:?}", part.document.display());
        let misspelt = part.text.replace(" = ", "x = ");
        assert!(!check(&format!("{whole}\n\n{misspelt}")).status.success());
    }
}

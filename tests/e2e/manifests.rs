//! The objects in `envoy/` are objects that Kubernetes, Istio and Envoy Gateway take, and say the same
//! as the configuration that the other tests drive.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_tests::artefacts::{binary, root};
use breakglass_tests::manifests::{files, filters, kustomization, objects, read};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, PodTemplateSpec, Service as KubernetesService,
    ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Every object in `envoy/` with its file: what has a kind.
pub(crate) fn all() -> Vec<(PathBuf, Value)> {
    let in_file = |file: PathBuf| {
        let objects = objects(&file).into_iter().filter(|object| object["kind"].is_string());
        objects.map(|object| (file.clone(), object)).collect::<Vec<_>>()
    };
    files("envoy").into_iter().flat_map(in_file).collect()
}

/// The schemas of the custom resources that are used here, each with its kind.
pub(crate) fn schemas() -> Vec<Value> {
    let folder = fs::read_dir(root().join("tests/fixtures/schemas")).unwrap();
    let files = folder.map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        .collect()
}

/// The schema of a custom resource, if it is one of those that are used here.
pub(crate) fn schema(object: &Value) -> Option<Value> {
    let is_kind = |schema: &Value| {
        let version = format!(
            "{}/{}",
            schema["group"].as_str().unwrap(),
            schema["version"].as_str().unwrap()
        );
        object["apiVersion"] == version && object["kind"] == schema["kind"]
    };
    let mut schema = schemas().into_iter().find(is_kind)?["schema"].take();
    for member in ["apiVersion", "kind", "metadata"] {
        schema["properties"].as_object_mut().unwrap().entry(member).or_insert(json!({}));
    }
    strict(&mut schema);
    Some(schema)
}

/// What the API server would silently drop is an error: a field that is misspelt.
fn strict(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if members.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true)) {
        return;
    }
    if let Some(properties) = members.get_mut("properties") {
        properties.as_object_mut().unwrap().values_mut().for_each(strict);
        members.insert("additionalProperties".to_owned(), json!(false));
    }
    members.get_mut("items").into_iter().for_each(strict);
}

pub(crate) fn complaints(object: &Value) -> Vec<String> {
    let schema = schema(object).unwrap_or_else(|| panic!("no schema for {}", object["kind"]));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let complaint =
        |error: jsonschema::ValidationError| format!("{}: {error}", error.instance_path());
    validator.iter_errors(object).map(complaint).collect()
}

/// It is one of Kubernetes' own, with no field that Kubernetes does not know.
fn is_a<T: DeserializeOwned + Serialize>(object: &Value) {
    let read: T = serde_json::from_value(object.clone())
        .unwrap_or_else(|error| panic!("{error} in {object}"));
    let written = serde_json::to_value(read).unwrap();
    assert_lost_nothing("", object, &written);
}

fn assert_lost_nothing(place: &str, given: &Value, kept: &Value) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (name, value) in given {
                let place = format!("{place}/{name}");
                let kept = kept.get(name).unwrap_or_else(|| panic!("{place} is not known"));
                assert_lost_nothing(&place, value, kept);
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            assert_eq!(given.len(), kept.len(), "{place}");
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                assert_lost_nothing(&format!("{place}/{index}"), given, kept);
            }
        }
        _ => assert_eq!(given, kept, "{place}"),
    }
}

#[test]
fn every_object_is_what_its_kind_says() {
    let mut custom = 0;
    for (file, object) in all() {
        match object["kind"].as_str().unwrap() {
            "Kustomization" => {}
            "Namespace" => is_a::<Namespace>(&object),
            "ConfigMap" => is_a::<ConfigMap>(&object),
            "ValidatingAdmissionPolicy" => is_a::<ValidatingAdmissionPolicy>(&object),
            "ValidatingAdmissionPolicyBinding" => is_a::<ValidatingAdmissionPolicyBinding>(&object),
            // By its real definition: scripts/platforms kubernetes.
            "ServiceMonitor" | "PrometheusRule" => {}
            "ServiceAccount" => is_a::<ServiceAccount>(&object),
            "PersistentVolumeClaim" => is_a::<PersistentVolumeClaim>(&object),
            "Deployment" => is_a::<Deployment>(&object),
            "Service" => is_a::<KubernetesService>(&object),
            "NetworkPolicy" => is_a::<NetworkPolicy>(&object),
            "PodDisruptionBudget" => is_a::<PodDisruptionBudget>(&object),
            _ => {
                assert_eq!(complaints(&object), Vec::<String>::new(), "{}", file.display());
                custom += 1;
            }
        }
    }
    assert!(custom >= 10, "{custom} custom resources");
    let patch = objects("envoy/istio/workload.yaml").remove(0);
    is_a::<PodTemplateSpec>(&patch["spec"]["template"]);
    // What Istio lays over its own Deployments is the same; `image: auto` is for its injector.
    let parameters = objects("envoy/istio/parameters/parameters.yaml").remove(0);
    let overlay = read(parameters["data"]["deployment"].as_str().unwrap()).unwrap().remove(0);
    let mut patch = patch;
    let container = patch.pointer_mut("/spec/template/spec/containers/0").unwrap();
    assert_eq!(container.as_object_mut().unwrap().remove("image"), Some(json!("auto")));
    assert_eq!(overlay, patch);
}

#[test]
fn what_the_api_server_would_drop_or_refuse_is_found() {
    let (_, good) = all().into_iter().find(|(_, object)| object["kind"] == "EnvoyFilter").unwrap();
    for (pointer, member, value, complaint) in [
        ("/spec", "workloadSelektor", json!({}), "workloadSelektor"),
        ("/spec/configPatches/0", "applyTo", json!("CLUSTERS"), "CLUSTERS"),
        ("/spec/configPatches/1/patch", "operation", json!("INSERT_FRIST"), "INSERT_FRIST"),
    ] {
        let mut object = good.clone();
        object.pointer_mut(pointer).unwrap()[member] = value;
        let found = complaints(&object);
        assert!(found.iter().any(|error| error.contains(complaint)), "{found:?}");
    }
}

/// What does not depend on the place where the filter runs.
fn placeless(mut filter: Value) -> Value {
    for pointer in [
        "/issuers/0/jwks/remote",
        "/revocation/feed",
        "/revocation/introspection",
        "/audit/heads",
        "/alerts",
    ] {
        let source = filter.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
        source["cluster"] = json!("any");
        source["authority"] = json!("any");
    }
    filter
}

#[test]
fn every_object_configures_the_filter_as_envoy_yaml_does() {
    let shipped = filters(&objects("envoy/envoy.yaml")[0]).remove(0);
    let mut found = BTreeSet::new();
    for (file, object) in all() {
        for filter in filters(&object) {
            assert_eq!(placeless(filter), placeless(shipped.clone()), "{}", file.display());
            found.insert(object["kind"].as_str().unwrap().to_owned());
        }
    }
    let kinds = ["EnvoyExtensionPolicy", "EnvoyFilter", "TrafficExtension", "WasmPlugin"];
    assert_eq!(found, kinds.map(str::to_owned).into());
}

#[test]
fn every_kustomization_can_be_built_and_every_file_beside_it_is_in_one() {
    let mut built = BTreeSet::new();
    for file in files("envoy").iter().filter(|file| file.ends_with("kustomization.yaml")) {
        let folder = file.parent().unwrap();
        assert!(!kustomization(folder).is_empty());
        let resources = objects(file).remove(0)["resources"].take();
        let resources = resources.as_array().unwrap().iter();
        let path = |name: &Value| folder.join(name.as_str().unwrap());
        built.extend(resources.map(path).filter(|path| root().join(path).is_file()));
        built.insert(file.clone());
    }
    // The one that stands in for another, and those for whom it is said how to apply them.
    let others = ["alternatives/wasmplugin.yaml", "ext-authz.yaml", "workload.yaml"];
    built.extend(others.map(|name| Path::new("envoy/istio").join(name)));
    let there = ["istio", "kubernetes", "kubernetes-mesh", "admission"];
    let there = there.map(|folder| files(Path::new("envoy").join(folder))).concat();
    assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), built);
}

#[test]
fn the_service_takes_the_configuration_that_kubernetes_gives_it() {
    let folder = Path::new("envoy/kubernetes");
    let generated = objects(folder.join("kustomization.yaml")).remove(0)["secretGenerator"].take();
    assert_eq!(
        generated,
        json!([{"name": "approvals-config", "files": ["config.toml", "listeners.toml", "definitions.json"]}])
    );
    let checked = Command::new(binary())
        .args(["serve", "--check", "--json", "--config"])
        .arg(root().join(folder))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let said: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(said, json!({"valid": true, "warnings": []}));
    let text = fs::read_to_string(root().join(folder).join("config.toml")).unwrap();
    let filter = filters(&objects("envoy/envoy.yaml")[0]).remove(0);
    for scope in filter["scopes"].as_array().unwrap() {
        assert!(text.contains(&format!("name = {}", scope["name"])), "{}", scope["name"]);
    }
    assert!(text.contains(&format!("issuer = {}", filter["issuers"][0]["issuer"])));
    let pod = &objects(folder.join("deployment.yaml"))[0]["spec"]["template"]["spec"];
    let mounted = |path: &str| {
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        mounts.iter().find(|mount| mount["mountPath"] == path).unwrap()["name"].clone()
    };
    let volume = |name: Value| {
        let volumes = pod["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == name).unwrap()
    };
    let data = volume(mounted("/var/lib/breakglass"));
    let claim = &objects(folder.join("persistentvolumeclaim.yaml"))[0]["metadata"]["name"];
    assert_eq!(data["persistentVolumeClaim"]["claimName"], *claim);
    let config = volume(mounted("/etc/breakglass"));
    assert_eq!(config["secret"]["secretName"], generated[0]["name"]);
    for path in ["/var/lib/breakglass/approvals.db", "/var/lib/breakglass/keys"] {
        assert!(text.contains(&format!("\"{path}\"")), "{path}");
    }
}

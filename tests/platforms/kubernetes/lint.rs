//! What kube-linter asks by default of `envoy/kubernetes`: all of its default checks, by their names, judged here by the
//! words of its documentation. (Its module is not to be had everywhere; what it prints is no part of this test.)

use std::collections::BTreeSet;

use breakglass_tests::manifests::{files, objects};
use serde_json::{Value, json};

/// Where a check is not kept to, on purpose: an annotation of this name with the check, and with the reason as its value.
const IGNORED: &str = "ignore-check.kube-linter.io/";

/// The objects of a kind.
fn all(kind: &str) -> Vec<Value> {
    let files = files("envoy/kubernetes");
    let objects =
        files.iter().filter(|file| !file.ends_with("kustomization.yaml")).flat_map(objects);
    objects.filter(|object| object["kind"] == kind).collect()
}

fn one(kind: &str) -> Value {
    let mut found = all(kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn is_set(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether a selector's labels are among an object's.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

/// The port of a container that this probe's handler names or numbers.
fn is_exposed(container: &Value, probe: &str) -> bool {
    let port = &container[probe]["httpGet"]["port"];
    let is_it = |one: &Value| one["name"] == *port || one["containerPort"] == *port;
    list(&container["ports"]).iter().any(is_it)
}

/// The default checks that are not kept to.
fn complaints(
    deployment: &Value,
    service: &Value,
    budget: &Value,
    accounts: &[Value],
) -> Vec<&'static str> {
    let template = &deployment["spec"]["template"];
    let (labels, pod) = (&template["metadata"]["labels"], &template["spec"]);
    let containers = list(&pod["containers"]);
    let each = |holds: &dyn Fn(&Value) -> bool| containers.iter().all(holds);
    let host_paths: Vec<Value> =
        list(&pod["volumes"]).iter().map(|volume| volume["hostPath"]["path"].clone()).collect();
    let is_host_path = |path: &str| host_paths.iter().any(|one| one == path);
    let names = |container: &Value| -> Vec<String> {
        list(&container["env"]).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let ports = |object: &Value| list(&object["ports"]);
    let nothing_unset = |container: &Value, resource: &str, kinds: &[&str]| {
        kinds.iter().all(|kind| is_set(&container["resources"][kind][resource]))
    };
    let checks: [(&str, bool); 30] = [
        // A Service selects some Deployment's pods.
        ("dangling-service", selects(&service["spec"]["selector"], labels)),
        // `serviceAccountName`, not `serviceAccount`.
        ("deprecated-service-account-field", pod["serviceAccount"].is_null()),
        // The node's container runtime is not mounted.
        ("docker-sock", host_paths.iter().all(|path| !path.to_string().contains("docker.sock"))),
        // Raw sockets are given up: NET_RAW, or ALL.
        (
            "drop-net-raw-capability",
            each(&|one| {
                let dropped = list(&one["securityContext"]["capabilities"]["drop"]);
                dropped.iter().any(|name| name == "ALL" || name == "NET_RAW")
            }),
        ),
        // No variable is set twice.
        (
            "duplicate-env-var",
            each(&|one| {
                let (all, mut once) = (names(one), names(one));
                once.sort();
                once.dedup();
                all.len() == once.len()
            }),
        ),
        // No secret stands in a variable's value.
        (
            "env-var-secret",
            each(&|one| {
                let secret = |one: &Value| {
                    let name = one["name"].as_str().unwrap().to_lowercase();
                    name.contains("secret") && is_set(&one["value"])
                };
                !list(&one["env"]).iter().any(secret)
            }),
        ),
        // The node's namespaces are its own.
        ("host-ipc", pod["hostIPC"] != true),
        ("host-network", pod["hostNetwork"] != true),
        ("host-pid", pod["hostPID"] != true),
        // The ports of containers and Services have names that Kubernetes takes.
        ("invalid-target-ports", {
            let targets = list(&service["spec"]["ports"]);
            let targets = targets.iter().map(|port| port["targetPort"].clone());
            let named = containers.iter().flat_map(ports).map(|port| port["name"].clone());
            targets.chain(named).all(|name| {
                name.as_u64().is_some_and(|port| (1..=65535).contains(&port))
                    || name.as_str().is_some_and(|name| {
                        let fits = |byte: u8| {
                            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
                        };
                        (1..=15).contains(&name.len()) && name.bytes().all(fits)
                    })
            })
        }),
        // An image has a tag that stays what it is.
        (
            "latest-tag",
            each(&|one| {
                let image = one["image"].as_str().unwrap().rsplit('/').next().unwrap();
                image.contains(':') && !image.ends_with(":latest")
            }),
        ),
        // A probe asks a port that the container names.
        ("liveness-port", each(&|one| is_exposed(one, "livenessProbe"))),
        ("readiness-port", each(&|one| is_exposed(one, "readinessProbe"))),
        ("startup-port", each(&|one| is_exposed(one, "startupProbe"))),
        // A Deployment selects the pods of its own template.
        ("mismatching-selector", selects(&deployment["spec"]["selector"]["matchLabels"], labels)),
        // Two replicas or more are kept apart.
        (
            "no-anti-affinity",
            deployment["spec"]["replicas"] == 1 || pod["affinity"]["podAntiAffinity"].is_object(),
        ),
        // No API version that is gone.
        (
            "no-extensions-v1beta",
            !deployment["apiVersion"].as_str().unwrap().starts_with("extensions/"),
        ),
        // The container cannot change its own files.
        (
            "no-read-only-root-fs",
            each(&|one| one["securityContext"]["readOnlyRootFilesystem"] == true),
        ),
        // The account is among the objects.
        (
            "non-existent-service-account",
            accounts.iter().any(|one| one["metadata"]["name"] == pod["serviceAccountName"]),
        ),
        // A budget lets a drain go on.
        ("pdb-max-unavailable", !is_zero(&budget["spec"]["maxUnavailable"])),
        ("pdb-min-available", budget["spec"]["minAvailable"].is_null()),
        // A budget says what becomes of pods that are not ready.
        (
            "pdb-unhealthy-pod-eviction-policy",
            is_set(&budget["spec"]["unhealthyPodEvictionPolicy"]),
        ),
        // A process gets no more rights than the one that started it.
        (
            "privilege-escalation-container",
            each(&|one| one["securityContext"]["allowPrivilegeEscalation"] == false),
        ),
        ("privileged-container", each(&|one| one["securityContext"]["privileged"] != true)),
        // Root is refused, and a user is named.
        ("run-as-non-root", {
            let security = &pod["securityContext"];
            security["runAsNonRoot"] == true
                && security["runAsUser"].as_u64().is_some_and(|user| user != 0)
        }),
        // The node's system folders are not mounted.
        ("sensitive-host-mounts", {
            let folders = ["/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"];
            !folders.iter().any(|folder| is_host_path(folder))
        }),
        // Nothing is called by SSH's port.
        ("ssh-port", containers.iter().flat_map(ports).all(|port| port["containerPort"] != 22)),
        // No kernel parameter that reaches beyond the pod.
        ("unsafe-sysctls", list(&pod["securityContext"]["sysctls"]).is_empty()),
        // A scheduler knows what it takes, and a neighbour what it may take.
        ("unset-cpu-requirements", each(&|one| nothing_unset(one, "cpu", &["requests", "limits"]))),
        (
            "unset-memory-requirements",
            each(&|one| nothing_unset(one, "memory", &["requests", "limits"])),
        ),
    ];
    checks.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect()
}

fn is_zero(value: &Value) -> bool {
    *value == json!(0) || *value == json!("0") || *value == json!("0%")
}

#[test]
fn every_default_check_of_kube_linter_is_kept_to_or_ignored_with_a_reason() {
    let (deployment, service) = (one("Deployment"), one("Service"));
    let (budget, accounts) = (one("PodDisruptionBudget"), all("ServiceAccount"));
    let complaints = complaints(&deployment, &service, &budget, &accounts);
    let mut ignored = Vec::new();
    for object in [&deployment, &service, &budget] {
        for (name, reason) in object["metadata"]["annotations"].as_object().into_iter().flatten() {
            if let Some(check) = name.strip_prefix(IGNORED) {
                assert!(
                    reason.as_str().unwrap().contains(' '),
                    "{check} is ignored without a reason"
                );
                ignored.push(check);
            }
        }
    }
    // None is ignored that holds.
    assert_eq!(complaints, ignored);
    // With more than one replica the database would be two: see the Deployment.
    assert_eq!(complaints, ["pdb-max-unavailable"]);
}

#[test]
fn a_default_check_that_is_not_kept_to_is_named() {
    let (service, budget, accounts) =
        (one("Service"), one("PodDisruptionBudget"), all("ServiceAccount"));
    let container = "/spec/template/spec/containers/0";
    for (check, pointer, value) in [
        (
            "no-read-only-root-fs",
            format!("{container}/securityContext/readOnlyRootFilesystem"),
            json!(false),
        ),
        ("latest-tag", format!("{container}/image"), json!("registry.internal:5000/breakglass")),
        ("unset-cpu-requirements", format!("{container}/resources/limits/cpu"), Value::Null),
        (
            "unset-memory-requirements",
            format!("{container}/resources/requests/memory"),
            Value::Null,
        ),
        ("liveness-port", format!("{container}/livenessProbe/httpGet/port"), json!("other")),
        (
            "drop-net-raw-capability",
            format!("{container}/securityContext/capabilities/drop"),
            json!([]),
        ),
        ("run-as-non-root", "/spec/template/spec/securityContext/runAsUser".to_owned(), json!(0)),
        ("no-anti-affinity", "/spec/replicas".to_owned(), json!(2)),
        (
            "non-existent-service-account",
            "/spec/template/spec/serviceAccountName".to_owned(),
            json!("other"),
        ),
        (
            "docker-sock",
            "/spec/template/spec/volumes/2".to_owned(),
            json!({"hostPath": {"path": "/var/run/docker.sock"}}),
        ),
    ] {
        let mut deployment = one("Deployment");
        *deployment.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let found = complaints(&deployment, &service, &budget, &accounts);
        let expected = BTreeSet::from([check, "pdb-max-unavailable"]);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{pointer}");
    }
}

//! Every object is taken, strictly; once more it changes nothing, and `kubectl diff` has nothing to say.

use serde_json::Value;

use crate::cluster::{Cluster, Ran};
use crate::definitions::define_all;
use crate::shared::newest;
use crate::units::{Unit, units};

/// What a cluster may warn of, by the end of the unit's path and a part of the warning. Anything else fails the test.
const WARNINGS: [(&str, &str); 1] = [
    // A dry run does not do the first half of what kubectl does to change the manager of an object.
    ("", "failed to migrate kubectl.kubernetes.io/last-applied-configuration"),
];

/// What was printed, where the command is content and every warning is one of [`WARNINGS`].
#[track_caller]
fn content(unit: &Unit, ran: Ran) -> String {
    let known = |line: &str| {
        WARNINGS.iter().any(|(path, text)| unit.path.ends_with(path) && line.contains(text))
    };
    let said: Vec<&str> = ran.stderr.lines().filter(|line| !known(line)).collect();
    assert!(ran.code == 0 && said.is_empty(), "{}: {ran:?}", unit.path.display());
    ran.stdout
}

/// A command of kubectl for a unit.
fn run(cluster: &Cluster, verb: &str, flags: &[&str], unit: &Unit) -> Ran {
    let options = unit.options();
    let options = options.iter().map(String::as_str);
    let arguments: Vec<&str> =
        [verb].into_iter().chain(flags.iter().copied()).chain(options).collect();
    cluster.kubectl(&arguments)
}

/// Applies a unit: each of its objects as the API server has it then, with its version, which changes whenever the
/// object is written.
fn apply(cluster: &Cluster, flags: &[&str], unit: &Unit) -> Vec<(String, String)> {
    let flags = [flags, &["-o=json"]].concat();
    let got: Value =
        serde_json::from_str(&content(unit, run(cluster, "apply", &flags, unit))).unwrap();
    let items = got["items"].as_array().cloned().unwrap_or(vec![got]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let named =
        |item: &Value| format!("{}/{}", text(&item["kind"]), text(&item["metadata"]["name"]));
    let mut all: Vec<_> = items
        .iter()
        .map(|item| (named(item), text(&item["metadata"]["resourceVersion"])))
        .collect();
    all.sort();
    all
}

/// Applies every unit in one way, twice.
fn all_are_taken(ways: &[&str], dry: &[&str]) -> usize {
    let cluster = Cluster::start();
    define_all(&cluster);
    let units = units(&cluster);
    for unit in units {
        unit.namespaces().iter().for_each(|name| cluster.namespace(name));
        let flags = [&["--validate=strict"], ways].concat();
        let mut before = apply(&cluster, &flags, unit);
        if !ways.is_empty() {
            // The API server writes a claim that was made server-side once more, with nothing changed in it.
            before = apply(&cluster, &flags, unit);
        }
        let after = apply(&cluster, &flags, unit);
        assert_eq!(after, before, "{}: not the same again", unit.path.display());
        assert_eq!(before.len(), unit.objects.len(), "{}: {before:?}", unit.path.display());
        let differs = run(&cluster, "diff", ways, unit);
        assert_eq!(
            (differs.code, &*differs.stdout),
            (0, ""),
            "{}: {differs:?}",
            unit.path.display()
        );
        if !dry.is_empty() {
            content(unit, run(&cluster, "apply", &[&["--validate=strict"], dry].concat(), unit));
        }
        println!("{}: {} objects", unit.path.display(), before.len());
    }
    units.iter().map(|unit| unit.objects.len()).sum()
}

#[test]
fn every_object_is_taken_strictly_and_a_second_time_changes_nothing() {
    // A Secret that was applied by the client is another manager's (`--force-conflicts`).
    let server_side = ["--server-side", "--force-conflicts", "--dry-run=server"];
    let count = all_are_taken(&[], &server_side);
    assert!(count > 40, "{count} objects");
}

#[test]
fn every_object_is_taken_server_side_without_a_conflict() {
    let count = all_are_taken(&["--server-side"], &[]);
    assert!(count > 40, "{count} objects");
}

#[test]
fn what_is_misspelt_is_refused() {
    let cluster = newest();
    let (mut judged, namespace) = (0, "default");
    for unit in units(cluster) {
        for mut object in unit.objects.clone() {
            let has_spec = object["spec"].is_object();
            if !has_spec || object["kind"] == "Namespace" {
                continue;
            }
            object["metadata"]["namespace"] = Value::Null;
            object["spec"]["noSuchField"] = 1.into();
            let create =
                ["create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-"];
            let refused = cluster.kubectl_given(&create, object.to_string()).refused();
            assert!(refused.contains("noSuchField"), "{}: {refused}", unit.path.display());
            judged += 1;
        }
    }
    assert!(judged > 30, "{judged}");
}

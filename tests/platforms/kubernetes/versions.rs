//! Which versions of Istio take which of the objects: docs/install/kubernetes.md says it, and here it is tried.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use breakglass_tests::artefacts::root;

use crate::cluster::Cluster;
use crate::definitions::{define, istio_versions};
use crate::shared::changing;
use crate::units::{Unit, units};

/// After a definition was replaced the API server judges by the old one for a moment, and nothing says how long.
const REPLACED: Duration = Duration::from_secs(2);

fn is_taken(cluster: &Cluster, unit: &Unit) -> bool {
    let options = unit.options();
    let apply = ["apply", "--dry-run=server", "--validate=strict"];
    let arguments: Vec<&str> =
        apply.into_iter().chain(options.iter().map(String::as_str)).collect();
    let ran = cluster.kubectl(&arguments);
    if ran.code != 0 {
        println!("{}: {}", unit.path.display(), ran.stderr.trim());
    }
    ran.code == 0
}

/// The rows of the table: the object, and the versions from which on it is taken.
fn documented() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/install/kubernetes.md")).unwrap();
    let section = text.split("## Versions").nth(1).expect("a section on versions");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| row.split_once("` | ").unwrap())
        .map(|(object, versions)| (object.to_owned(), versions.to_owned()))
        .collect()
}

#[test]
fn the_documents_say_from_which_version_of_istio_on_each_object_is_taken() {
    let cluster = changing();
    let units = units(cluster).iter().filter(|unit| unit.path.starts_with("envoy/istio"));
    let units: Vec<&Unit> = units.collect();
    let versions = istio_versions();
    let mut taken: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    define(cluster, "gateway-api");
    for version in &versions {
        define(cluster, &format!("istio-{version}"));
        thread::sleep(REPLACED);
        for unit in &units {
            unit.namespaces().iter().for_each(|name| cluster.namespace(name));
            let by = taken.entry(unit.path.display().to_string()).or_default();
            if is_taken(cluster, unit) {
                by.push(version);
            }
        }
    }
    let newest = versions.last().unwrap();
    let say = |(unit, by): (String, Vec<&str>)| {
        let first = by.first().unwrap_or_else(|| panic!("no version takes {unit}"));
        let all = versions.iter().skip_while(|version| version != first).count();
        assert_eq!(by.len(), all, "{unit} is taken by {by:?}, and not by those between");
        (unit, format!("{first} to {newest}"))
    };
    let found: BTreeMap<String, String> = taken.into_iter().map(say).collect();
    for (unit, versions) in &found {
        println!("| `{unit}` | {versions} |");
    }
    assert_eq!(documented(), found, "the table in docs/install/kubernetes.md, ## Versions");
}

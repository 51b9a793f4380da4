//! The admission policies, each with what it refuses and what it lets through.

mod gateway;
mod istio;

use std::time::Duration;

use breakglass_tests::wait::until_within;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Ran};
use crate::shared::newest;

/// How long the API server may take to know a new policy, or a new parameter: a second where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Applies the policies in a folder to the shared cluster, which knows them once it refuses this object.
fn apply(folder: &str, refused: &Value) {
    let cluster = newest();
    for name in
        ["breakglass", "payments", "istio-ingress", "istio-system", "team-b", "pay", "payments-2"]
    {
        cluster.namespace(name);
    }
    // `kubectl apply` says what a policy of types that it knows gets wrong.
    cluster.kubectl(&["apply", "--validate=strict", "-k", folder]).done();
    until_within(PATIENCE, folder, || (create(cluster, refused).code != 0).then_some(()));
}

/// Puts back the parameters of a folder as they are shipped, and waits until that is known.
fn restore(cluster: &Cluster, folder: &str, name: &str, refused: &Value) {
    let has_none = || create(cluster, refused).stderr.contains("no params found");
    let delete = ["-n", "breakglass", "delete", "configmap", name, "--ignore-not-found"];
    cluster.kubectl(&delete).done();
    until_within(PATIENCE, name, || has_none().then_some(()));
    cluster.kubectl(&["apply", "--validate=strict", "-k", folder]).done();
    until_within(PATIENCE, name, || {
        let said = create(cluster, refused);
        (said.code != 0 && !said.stderr.contains("no params found")).then_some(())
    });
}

/// Makes an object, or says what would come of it: nothing is kept.
fn create(cluster: &Cluster, object: &Value) -> Ran {
    let dry = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    cluster.kubectl_given(&dry, object.to_string())
}

/// It is refused by this policy, in words with all of these in them.
#[track_caller]
fn refuses(cluster: &Cluster, object: &Value, policy: &str, words: &[&str]) {
    let said = create(cluster, object).refused();
    assert_refusal(object, &said, policy, words);
}

/// Each of these is refused by this policy, in words with its own and all of these in them; all are asked for at once.
#[track_caller]
fn refuses_each(cluster: &Cluster, objects: Vec<(Value, String)>, policy: &str, words: &[&str]) {
    let named = |(index, (mut object, word)): (usize, (Value, String))| {
        object["metadata"]["name"] = format!("mine-{index}").into();
        (object, word)
    };
    let objects: Vec<(Value, String)> = objects.into_iter().enumerate().map(named).collect();
    let items: Vec<&Value> = objects.iter().map(|(object, _)| object).collect();
    let all = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let ran = create(cluster, &all);
    assert_eq!(ran.stdout, "", "none is taken");
    for (object, word) in &objects {
        let name = format!("{} is forbidden", object["metadata"]["name"]);
        let line = ran.stderr.lines().find(|line| line.contains(&name));
        let line = line.unwrap_or_else(|| panic!("{object}\n{}", ran.stderr));
        assert_refusal(object, line, policy, &[&[&**word], words].concat());
    }
}

#[track_caller]
fn assert_refusal(object: &Value, said: &str, policy: &str, words: &[&str]) {
    let by = format!("ValidatingAdmissionPolicy '{policy}'");
    assert!(said.contains(&by), "{object}\n{said}");
    for word in words {
        assert!(said.contains(word), "{word} in {said}");
    }
    // A policy that fails refuses too, and its words help nobody.
    for word in ["no such key", "no such overload", "failed to", "error:"] {
        assert!(!said.contains(word), "{object}\n{said}");
    }
}

/// It is taken, and nothing is warned of.
#[track_caller]
fn takes(cluster: &Cluster, object: &Value) {
    create(cluster, object).done();
}

/// Changes the parameters, and waits until that is known: then this object is refused or not.
fn parameters(cluster: &Cluster, name: &str, patch: &Value, object: &Value, is_taken: bool) {
    let patch = patch.to_string();
    let change = ["-n", "breakglass", "patch", "configmap", name, "--type=merge", "-p", &patch];
    cluster.kubectl(&change).done();
    until_within(PATIENCE, name, || {
        ((create(cluster, object).code == 0) == is_taken).then_some(())
    });
}

//! The configuration is read again when its files change, without a signal.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::process::{Server, breakglass, until};
use breakglass_testing::credentials::without;
use breakglass_testing::service::config;

const APPLIED: &str = "configuration read again";
const REFUSED: &str = "the configuration stays as it is";

fn reloads(server: &Server, word: &str) -> usize {
    server.log().lines().filter(|line| line.contains(word)).count()
}

fn health(server: &Server) -> Value {
    server.get("grace", "/healthz?detail=1")["configuration"].clone()
}

#[test]
fn a_file_that_changes_is_read_again_once() {
    let server = Server::start();
    let path = server.path("config.toml");
    let good = config(&server.directory);
    fs::write(&path, good.replace("\"10m\"", "\"never\"").replace("\"auditors\"]\nmax", "1]\nmax"))
        .unwrap();
    until(|| reloads(&server, REFUSED) >= 2);
    let failure = health(&server)["last_failure"].clone();
    let fields: Vec<&str> = failure["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert_eq!(error["file"], path.display().to_string());
            error["field"].as_str().unwrap()
        })
        .collect();
    assert_eq!(fields, ["pending_lifetime", "auditors[0]"], "{failure}");
    // What is wrong is not tried again and again: the next thing in the log is what is right.
    fs::write(path.with_extension("new"), good.replace("\"10m\"", "\"5m\"")).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    until(|| reloads(&server, APPLIED) == 1);
    assert_eq!(reloads(&server, REFUSED), 2, "{}", server.log());
    assert!(server.log().contains("cause=\"file_change\""), "{}", server.log());
    let acts = server.get("grace", "/v1/audit/service")["acts"].clone();
    let of_reload = acts.as_array().unwrap().iter().filter(|act| act["action"] == "reload");
    assert_eq!(of_reload.map(|act| &act["detail"]["cause"]).collect::<Vec<_>>(), ["file_change"]);
}

/// Also one that was named by a configuration that was not taken.
#[test]
fn a_file_of_definitions_that_changes_is_read_again() {
    let server = Server::start();
    let path = server.path("config.toml");
    let text = format!("definitions = [\"scopes.json\"]\n{}", config(&server.directory));
    fs::write(&path, text).unwrap();
    until(|| reloads(&server, REFUSED) == 1);
    let form = r#"{"audiences":["prod"],"scopes":{"orders:read":{"methods":["GET"],"paths":["/a"],"v":1}}}"#;
    fs::write(server.path("scopes.json"), form).unwrap();
    until(|| reloads(&server, APPLIED) == 1);
    fs::write(server.path("scopes.json"), form.replace("/a", "/b")).unwrap();
    until(|| reloads(&server, APPLIED) == 2);
}

/// A ConfigMap that is replaced: a person who was removed loses the grant.
#[test]
fn a_folder_of_links_that_is_replaced_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("config");
    let text = config(&directory);
    let write = |generation: &str, text: &str| {
        fs::create_dir_all(folder.join(generation)).unwrap();
        let (fields, lists) = text.split_at(text.find("[[").unwrap());
        fs::write(folder.join(generation).join("a.toml"), fields).unwrap();
        fs::write(folder.join(generation).join("b.toml"), lists).unwrap();
        symlink(generation, folder.join("..new")).unwrap();
        fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    };
    write("..1", &text);
    for name in ["a.toml", "b.toml"] {
        symlink(format!("..data/{name}"), folder.join(name)).unwrap();
    }
    let path = folder.display().to_string();
    let server = Server::start_from(breakglass(), directory, &path, &[]);
    let id = server.pending();
    server.run("carol", &["approve", &id, "--yes"]).done();
    write("..2", &without(&text, "alice"));
    until(|| server.get("carol", &format!("/v1/requests/{id}"))["state"] == "revoked");
    assert_eq!(reloads(&server, APPLIED), 1, "{}", server.log());
    assert_eq!(server.run("alice", &["status", &id]).code, 2);
}

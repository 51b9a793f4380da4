//! docker-registry with skopeo.

use std::fs;

use breakglass_tests::client::request;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::application::{Application, Ran, debian};
use crate::application_gate::ApplicationGate;
use crate::spelled::Resource;

const MARKER: &str = "only-the-owner-of-secret-reads-this";

/// A registry that has the image `secret/app`, tagged with the marker, whose only layer is the marker.
fn registry() -> Application {
    let mut registry = Application::new();
    let configuration = json!({"version": "0.1", "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": registry.path("data")}},
        "http": {"addr": registry.address().to_string(), "secret": "of no weight here"}});
    // YAML is a superset of JSON.
    fs::write(registry.path("config.yml"), configuration.to_string()).unwrap();
    registry.spawn(debian("usr/bin/docker-registry"), |command| {
        command.args(["serve", "config.yml"]);
    });
    registry.until_ready("/v2/", &[]);
    image(&registry);
    fs::create_dir(registry.path("signatures")).unwrap();
    let secret = format!("docker://{}/secret/app:{MARKER}", registry.address());
    skopeo(
        &registry,
        &["copy", "--preserve-digests", "--dest-tls-verify=false", "dir:image", &secret],
    )
    .done();
    registry
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the image that is pushed into the folder `image`, as skopeo's `dir:` has it.
fn image(registry: &Application) {
    let folder = registry.path("image");
    fs::create_dir(&folder).unwrap();
    let blob = |bytes: &[u8], kind: &str| {
        let sha256 = sha256(bytes);
        fs::write(folder.join(&sha256), bytes).unwrap();
        json!({"mediaType": kind, "size": bytes.len(), "digest": format!("sha256:{sha256}")})
    };
    let layer = blob(MARKER.as_bytes(), "application/vnd.docker.image.rootfs.diff.tar");
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}});
    let config =
        blob(config.to_string().as_bytes(), "application/vnd.docker.container.image.v1+json");
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer],
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json"});
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(folder.join("version"), "Directory Transport Version: 1.1\n").unwrap();
}

fn skopeo(registry: &Application, arguments: &[&str]) -> Ran {
    registry.client(debian("usr/bin/skopeo"), |command| {
        command.args(["--insecure-policy", "--registries.d", "signatures"]);
        // Where root runs it too, what it remembers of blobs goes into its home.
        command.env("_CONTAINERS_ROOTLESS_UID", "1000");
        command.env("XDG_RUNTIME_DIR", registry.path("")).args(arguments);
    })
}

/// Work in the repositories of a team, of any depth, and in one beside it.
fn scopes() -> Value {
    let methods = json!(["GET", "HEAD", "POST", "PUT", "PATCH"]);
    json!([{"name": "team:push", "methods": methods, "paths": ["/v2/", "/v2/team/**"]},
        {"name": "loot:push", "methods": methods, "paths": ["/v2/loot/**"]}])
}

/// skopeo brings a token in `authorization`, and only after a challenge of the scheme `Bearer`, which is that of the
/// source that comes first.
fn bearer() -> Value {
    json!([{"header": "authorization", "scheme": "Bearer"}, {"header": "x-breakglass-token"}])
}

#[test]
fn skopeo_pushes_and_pulls_names_of_any_depth_in_its_scope() {
    let registry = registry();
    let rules = json!({"scopes": scopes(), "protected": [{"paths": ["/v2/**"]}],
        "token_sources": bearer()});
    let gate = ApplicationGate::new(registry.address(), &rules);
    let token = gate.token(&["team:push"]);
    let copy = |direction: &str, from: &str, to: &str| {
        let tls = format!("--{direction}-tls-verify=false");
        let token = format!("--{direction}-registry-token={token}");
        skopeo(&registry, &["copy", "--preserve-digests", &tls, &token, from, to])
    };
    let address = gate.address();
    for name in ["team/app", "team/a/b/c/d/app"] {
        let image = format!("docker://{address}/{name}:1");
        copy("dest", "dir:image", &image).done();
        let pulled = format!("dir:{}", name.replace('/', "-"));
        copy("src", &image, &pulled).done();
        let layer = registry.path(&name.replace('/', "-")).join(sha256(MARKER.as_bytes()));
        assert_eq!(fs::read_to_string(layer).unwrap(), MARKER);
        gate.recorded("PUT", &format!("/v2/{name}/manifests/1"), "allow", "permit");
        let blob = format!("/v2/{name}/blobs/sha256:{}", sha256(MARKER.as_bytes()));
        gate.recorded("GET", &blob, "allow", "permit");
    }
    // With a challenge of a scheme that it does not know it brings none.
    let mut sources = bearer();
    sources.as_array_mut().unwrap().reverse();
    let rules = json!({"scopes": scopes(), "protected": [{"paths": ["/v2/**"]}],
        "token_sources": sources});
    let other = ApplicationGate::new(registry.address(), &rules);
    let token = format!("--dest-registry-token={}", other.token(&["team:push"]));
    let image = format!("docker://{}/team/app:2", other.address());
    let ran = skopeo(&registry, &["copy", "--dest-tls-verify=false", &token, "dir:image", &image]);
    assert!(!ran.success && ran.stderr.contains("None of the challenges"), "{ran:?}");
    // What it has pushed once it asks to be mounted the next time; refused, it uploads it.
    let uploads = "/v2/team/a/b/c/d/app/blobs/uploads/";
    gate.recorded("POST", uploads, "deny", "second_resource");
    gate.recorded("POST", uploads, "allow", "permit");
    let refused = copy("src", &format!("docker://{address}/secret/app:{MARKER}"), "dir:stolen");
    assert!(
        !refused.success && !registry.path("stolen").join("manifest.json").exists(),
        "{refused:?}"
    );
    gate.recorded("GET", &format!("/v2/secret/app/manifests/{MARKER}"), "deny", "out_of_scope");
    gate.verified();
}

#[test]
fn a_mount_does_not_bring_a_blob_of_another_repository() {
    let registry = registry();
    let rules = json!({"scopes": scopes(), "protected": [{"paths": ["/v2/secret/**"]}]});
    let gate = ApplicationGate::new(registry.address(), &rules);
    let digest = format!("sha256:{}", sha256(MARKER.as_bytes()));
    let blob = format!("/v2/loot/x/blobs/{digest}");
    let mounts = [
        format!("mount={digest}&from=secret/app"),
        format!("from=secret/app&mount={digest}"),
        format!("mount={digest}&from=secret%2Fapp"),
        format!("mount={digest}&%66rom=secret%2fapp"),
        format!("mount={digest}&from=pub&from=secret/app"),
        format!("mount={digest};from=secret/app&from=secret/app"),
    ];
    let token = gate.token(&["loot:push"]);
    for mount in &mounts {
        let uploads = format!("/v2/loot/x/blobs/uploads/?{mount}");
        gate.refuses(&gate.request("POST", &uploads), 401, "token_missing");
        let under_token = gate.request("POST", &uploads).token(&token);
        let problem = gate.refuses(&under_token, 400, "second_resource");
        assert!(problem["detail"].as_str().unwrap().contains("from"), "{problem}");
    }
    assert_eq!(gate.permits(&gate.get(&blob).token(&token)).status, 404, "nothing was mounted");
    // An upload that mounts nothing goes on.
    let upload = gate.request("POST", "/v2/loot/x/blobs/uploads/").token(&token);
    assert_eq!(gate.permits(&upload).status, 202);
    // That is a limit: the registry takes the same from a form, and a body is not looked at.
    let form = gate.request("POST", "/v2/loot/form/blobs/uploads/").body(&mounts[0]);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(gate.passes(&form).status, 201);
    let read = gate.passes(&gate.get(format!("/v2/loot/form/blobs/{digest}")));
    assert_eq!(read.body, MARKER.as_bytes());
    gate.verified();

    // Without the rule it is how the blob is read.
    let host = registry.address().to_string();
    let uploads = format!("/v2/loot/x/blobs/uploads/?{}", mounts[0]);
    assert_eq!(registry.ask(&request("POST", uploads).host(&host)).status, 201);
    let open = ApplicationGate::new(registry.address(), &json!({"scopes": scopes()}));
    assert_eq!(open.passes(&open.get(&blob)).body, MARKER.as_bytes());
}

#[test]
fn no_spelling_of_a_repository_passes() {
    let registry = registry();
    let blob = format!("/v2/secret/app/blobs/sha256:{}", sha256(MARKER.as_bytes()));
    for (path, reachable) in [("/v2/secret/app/tags/list", 5), (blob.as_str(), 5)] {
        let rule = "/v2/secret/**";
        Resource { path, rule, marker: MARKER, headers: &[], reachable }
            .assert_held(registry.address());
    }
}

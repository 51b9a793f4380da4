//! `docs/install/envoy-gateway.md`, from its first line: its commands run as they stand, with a stand-in for the
//! cluster, and the story on what they applied.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use breakglass_tests::artefacts::{self, root};
use breakglass_tests::client::{Request, get, request};
use breakglass_tests::manifests::read;
use breakglass_tests::policy::{APPROVER, AUDIENCE, ISSUER, PROXY_TOKEN, SUBJECT};
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::upstream::Upstream;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control::EnvoyGateway;
use crate::objects::{all_served, backend, class, gateway, placed, route};
use crate::options::cut;
use crate::world::{route_to, world};

const DOCUMENT: &str = "docs/install/envoy-gateway.md";

/// A cluster that is a folder: what is applied is in `objects`, secrets are in `secrets/NAMESPACE`.
const KUBECTL: &str = r#"#!/bin/sh
set -e
case "$*" in
  "--namespace "*" create secret generic "*" --from-file=token="*)
    mkdir -p "$CLUSTER/secrets/$2"
    cp "${7#--from-file=token=}" "$CLUSTER/secrets/$2/$6" ;;
  "--namespace "*" create secret generic "*" --type=kubernetes.io/tls --from-file=tls.crt="*)
    mkdir -p "$CLUSTER/secrets/$2/$6"
    for file in "${8#--from-file=}" "${9#--from-file=}" "${10#--from-file=}"; do
      cp "${file#*=}" "$CLUSTER/secrets/$2/$6/${file%%=*}"
    done ;;
  "create --dry-run=client --filename "*" --output jsonpath={.spec.wasm[0].config}")
    cat "$CLUSTER/config.json" ;;
  "apply --filename "*)
    if [ -d "$3" ]; then cp "$3"/*.yaml "$CLUSTER/objects"; else cp "$3" "$CLUSTER/objects"; fi ;;
  *) echo "the stand-in does not know: kubectl $*" >&2; exit 1 ;;
esac
"#;

/// The shell blocks and the YAML of the document, in order.
fn blocks(mark: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let mut parts = text.split("\n```");
    let mut found = Vec::new();
    parts.next();
    while let (Some(block), _) = (parts.next(), parts.next()) {
        let (head, text) = block.split_once('\n').unwrap();
        if head == mark {
            found.push(text.to_owned());
        }
    }
    found
}

/// A checkout in which a reader works, and the cluster.
struct Reader {
    folder: TempDir,
}

impl Reader {
    fn new() -> Reader {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        for directory in ["bin", "dist", "envoy/gateway/options", "cluster/objects"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        symlink(artefacts::binary(), at("bin/breakglass")).unwrap();
        symlink(artefacts::envoy(), at("bin/envoy")).unwrap();
        symlink(artefacts::filter(), at("dist/breakglass.wasm")).unwrap();
        fs::write(at("bin/kubectl"), KUBECTL).unwrap();
        fs::set_permissions(at("bin/kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
        copy(&root().join("envoy/gateway"), &at("envoy/gateway"));
        Reader { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// What the document says to put in.
    fn fill_in(&self) {
        let path = self.path("envoy/gateway/envoyextensionpolicy.yaml");
        let mut text = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("0".repeat(64), world().digest.clone()),
            ("issuer: https://approvals.internal".to_owned(), format!("issuer: {ISSUER}")),
            ("payments-prod".to_owned(), AUDIENCE.to_owned()),
        ] {
            assert!(text.contains(&from), "{from}");
            text = text.replace(&from, &to);
        }
        fs::write(&path, &text).unwrap();
        let config = read(&text).unwrap().remove(0)["spec"]["wasm"][0]["config"].take();
        self.configure(&config);
    }

    /// What kubectl says is in the policy.
    fn configure(&self, config: &Value) {
        fs::write(self.path("cluster/config.json"), config.to_string()).unwrap();
    }

    fn run(&self, text: &str) -> Output {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", text]).current_dir(self.folder.path()).env_clear();
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        shell.env("CLUSTER", self.path("cluster"));
        shell.output().unwrap()
    }

    fn done(&self, text: &str) -> String {
        let ran = self.run(text);
        assert!(ran.status.success(), "{text}\n{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }

    /// What was applied, with the provider of this machine.
    fn applied(&self) -> Vec<Value> {
        let mut files: Vec<_> = fs::read_dir(self.path("cluster/objects"))
            .unwrap()
            .map(|one| one.unwrap().path())
            .collect();
        files.sort();
        let objects =
            files.iter().flat_map(|file| read(&fs::read_to_string(file).unwrap()).unwrap());
        // The policy has been filled in.
        let local = |object: Value| {
            if object["kind"] == "EnvoyProxy" { placed(object) } else { object }
        };
        objects.map(local).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// An order that no other request asks for.
fn order(id: &str) -> Request {
    get(format!("/v1/orders/{id}"))
}

#[test]
fn the_document_from_its_first_line_and_the_story_on_what_it_applied() {
    let steps = blocks("sh gateway");
    assert_eq!(steps.len(), 4, "{steps:?}");
    let reader = Reader::new();
    // The certificates are there since the service was installed.
    reader
        .done("breakglass keygen certificates --out tls --dns approvals.internal --proxy payments");
    // 1. The secrets.
    let printed = reader.done(&steps[0]);
    let digest = printed.trim().strip_prefix("token_sha256").unwrap().trim();
    let mounted = reader.path("cluster/secrets/envoy-gateway-system/breakglass-proxy-tls");
    for (name, from) in
        [("tls.crt", "payments.crt"), ("tls.key", "payments.key"), ("ca.crt", "ca.crt")]
    {
        let held = fs::read(mounted.join(name)).unwrap();
        assert_eq!(held, fs::read(reader.path("tls").join(from)).unwrap(), "{name}");
    }
    assert_eq!(digest.len(), 64, "{digest}");
    let secret = reader.path("cluster/secrets/envoy-gateway-system/breakglass-proxy");
    let token = fs::read_to_string(&secret).unwrap();
    assert!(token.starts_with("breakglass_") && !token.ends_with('\n'), "{token}");
    assert_eq!(
        fs::metadata(reader.path("proxy.token")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // 2. The objects, and the Gateway that names the EnvoyProxy.
    reader.fill_in();
    reader.done(&steps[1]);
    let named: Value = read(&blocks("yaml gateway")[0]).unwrap().remove(0);
    let entry = gateway(&[("http", 8080)]);
    assert_eq!(entry["spec"]["infrastructure"], named["infrastructure"]);

    let (service, upstream) = (Service::start(), Upstream::start());
    route_to(&service);
    let mut objects = reader.applied();
    assert_eq!(objects.len(), 4);
    objects.extend([
        class(),
        entry,
        route("payments", "api", "http"),
        backend("payments", upstream.address()),
    ]);
    // The tests' service knows one credential; what matters of the document's is that it ends without a newline.
    let mut control = EnvoyGateway::with_credential(objects, PROXY_TOKEN);
    control.answers(8080, &get("/admin/x"), 401);
    // 3. Asking the entrance.
    let asked = steps[2].replace("http://payments.example", "http://127.0.0.1:8080");
    assert_eq!(reader.done(&asked).trim(), "401");
    the_story(&service, &control);
    // The options.
    reader.done(&steps[3]);
    for object in reader.applied().into_iter().filter(|one| one["kind"] == "EnvoyPatchPolicy") {
        let name = crate::objects::name(&object);
        control.apply(object);
        control.until("the patches", || {
            control.has_condition(&name, "Programmed", "True", "Programmed").then_some(())
        });
    }
}

/// `--from-file=token=FILE` keeps the newline that an editor or `echo` puts at the end of a file.
#[test]
fn a_secret_that_ends_with_a_newline_is_the_same_credential() {
    let reader = Reader::new();
    let made = format!("echo {PROXY_TOKEN} >proxy.token\n");
    let create = "kubectl --namespace envoy-gateway-system create secret generic breakglass-proxy \
                  --from-file=token=proxy.token";
    reader.done(&format!("{made}{create}"));
    let secret = reader.path("cluster/secrets/envoy-gateway-system/breakglass-proxy");
    let secret = fs::read_to_string(secret).unwrap();
    assert_eq!(secret, format!("{PROXY_TOKEN}\n"));
    let (service, upstream) = (Service::start(), Upstream::start());
    route_to(&service);
    let control = EnvoyGateway::with_credential(all_served(upstream.address()), &secret);
    control.answers(8080, &get("/admin/x"), 401);
    // The approval service takes the credential: a token is known to be valid, and a poll hangs at the feed.
    let (_, token) = service.grant(&["orders:read"], "10m");
    control.answers(8080, &order("newline").token(&token), 200);
    control.until("a poll", || (service.hanging_polls() > 0).then_some(()));
}

/// Request, approve, token, permit, out of scope, a stream that is cut, and a log that verifies.
fn the_story(service: &Service, control: &EnvoyGateway) {
    assert_eq!(
        control.send(8080, &order("0").header("x-breakglass-grant", "grant_forged")).status,
        200
    );
    let arguments = ["request", "--reason", "orders are stuck", "--scope", "orders:read"];
    let asked = service.run(SUBJECT, &arguments).done();
    let grant = service.run(APPROVER, &["approve", &asked, "--yes"]).done();
    let token = service.run(SUBJECT, &["token", &asked]).done();
    control.answers(8080, &order("1").token(&token), 200);
    let answer =
        control.send(8080, &order("2").token(&token).header("x-breakglass-grant", "grant_forged"));
    let seen = answer.json()["headers"].clone();
    let header = |name: &str| {
        let found = seen.as_array().unwrap().iter().find(|header| header[0] == name)?;
        found[1].as_str().map(str::to_owned)
    };
    assert_eq!(header("x-breakglass-grant"), Some(grant.clone()));
    assert_eq!(header("x-breakglass-token"), None);
    let allowed = control.record("/v1/orders/2");
    let audit = allowed.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    assert_eq!((audit.text_of("decision"), audit.text_of("grant")), (Some("allow"), Some(&*grant)));
    let refused = |request: &Request, status: u16, reason: &str| {
        let answer = control.send(8080, request);
        assert_eq!((answer.status, &answer.json()["reason"]), (status, &json!(reason)));
    };
    refused(&request("POST", "/v1/orders").token(&token), 403, "out_of_scope");
    refused(&request("DELETE", "/v1/ledger/17").token(&token), 403, "ceiling");
    refused(&get("/v1%2Forders").token(&token), 400, "ambiguous_path");
    // A stream ends when its grant is revoked. Envoy Gateway leaves the connection open for a second more.
    let took = cut(service, control);
    println!("a download over HTTP/1.1 ended {took:?} after the revocation");
    assert!(took < Duration::from_secs(3) && took > Duration::from_millis(900), "{took:?}");
    let revoked = service.run(APPROVER, &["revoke", &grant, "--reason", "orders flow again"]);
    assert_eq!(revoked.done(), "revoked");
    // Each worker of the Envoy knows.
    control.until("the revocation", || {
        (0..8).all(|_| control.send(8080, &order("3").token(&token)).status == 401).then_some(())
    });
    refused(&order("4").token(&token), 401, "revoked");
    control.record("/v1/orders/4");
    // The access log is what the auditor has.
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.log");
    let heads = format!("http://{}", service.address());
    control.until("every head to be reported", || {
        control.write_access_log(&log);
        let arguments = ["audit", "verify", log.to_str().unwrap(), "--heads", &heads, "--json"];
        let ran = service.run(AUDITOR, &arguments);
        let verdict: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let known = verdict["chains"].as_array()?.iter().all(|chain| chain["after_head"] == 0);
        (ran.code == 0 && known).then_some(())
    });
}

#[test]
fn the_check_names_every_wrong_field() {
    let reader = Reader::new();
    reader.fill_in();
    let text = fs::read_to_string(reader.path("cluster/config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["proteccted"] = json!([]);
    config["clock_skew"] = json!("9h");
    reader.configure(&config);
    let check = "envoy/gateway/check envoy/gateway/envoyextensionpolicy.yaml";
    let ran = reader.run(check);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success(), "{said}");
    assert!(said.contains("proteccted") && said.contains("clock_skew"), "{said}");
    // An object that has no configuration of the filter is no success.
    fs::write(reader.path("cluster/config.json"), "").unwrap();
    assert!(!reader.run(check).status.success());
}

/// The rows of the first table below a heading, without their marks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let (_, below) = text.split_once(heading).unwrap();
    let lines = below.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn the_table_of_who_takes_it_away_has_the_cases_that_are_driven() {
    // overrides.rs drives each of them, in this order; its last one is the last row by the other merge.
    let opens: Vec<String> = rows("## 3.").into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(opens, ["401", "200", "200", "200", "401", "200"]);
}

#[test]
fn the_options_that_are_named_are_those_that_are_there() {
    let mut there: Vec<String> = fs::read_dir(root().join("envoy/gateway/options"))
        .unwrap()
        .map(|one| one.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let mut named: Vec<String> =
        rows("## Options").into_iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    named.sort();
    assert_eq!(named, there);
}

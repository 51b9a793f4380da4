//! `git http-backend`, which lighttpd runs, with git.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::application::{Application, Ran, debian};
use crate::application_gate::ApplicationGate;
use crate::spelled::Resource;

/// A branch of `secret.git`.
const MARKER: &str = "only-the-owner-of-secret-reads-this";

/// Bare repositories `pub.git` and `secret.git`, each with a commit.
fn repositories() -> Application {
    let mut git = Application::new();
    let backend = run(&git, &["--exec-path"]).done();
    let backend = format!("{}/git-http-backend", backend.trim());
    let root = git.path("repositories");
    for (name, branch) in [("pub.git", "main"), ("secret.git", MARKER)] {
        let work = git.path(&format!("{name}-work"));
        let (work, bare) = (work.to_str().unwrap(), root.join(name));
        run(&git, &["init", "--quiet", "--initial-branch", branch, work]).done();
        commit(&git, work, "first");
        run(&git, &["clone", "--quiet", "--bare", work, bare.to_str().unwrap()]).done();
        run(&git, &["-C", bare.to_str().unwrap(), "config", "http.receivepack", "true"]).done();
    }
    let configuration = format!(
        r#"server.bind = "{}"
server.port = {}
server.document-root = "{root}"
server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
alias.url = ("/git" => "{backend}")
cgi.assign = ("" => "")
setenv.add-environment = ("GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1")
"#,
        git.address().ip(),
        git.address().port(),
        root = root.display(),
    );
    fs::write(git.path("lighttpd.conf"), configuration).unwrap();
    let modules = debian("usr/lib/lighttpd");
    git.spawn(debian("usr/sbin/lighttpd"), |command| {
        command.args(["-D", "-f", "lighttpd.conf", "-m"]).arg(modules);
    });
    git.until_ready("/git/pub.git/HEAD", &[]);
    git
}

/// Runs git, whose user has no configuration but this.
fn run(git: &Application, arguments: &[&str]) -> Ran {
    git.client("git", |command| {
        let identity = ["user.name=alice", "user.email=alice@example.com", "safe.directory=*"];
        let _: &mut Command =
            identity.iter().fold(command, |command, one| command.args(["-c", one]));
        command.env("GIT_TERMINAL_PROMPT", "0").args(arguments);
    })
}

fn commit(git: &Application, work: &str, message: &str) {
    run(git, &["-C", work, "commit", "--quiet", "--allow-empty", "-m", message]).done();
}

fn with_token(git: &Application, token: &str, arguments: &[&str]) -> Ran {
    let header = format!("http.extraHeader=x-breakglass-token: {token}");
    run(git, &[&["-c", header.as_str()], arguments].concat())
}

/// What git asks for when it fetches from, or pushes to, `pub.git`.
fn scopes() -> Value {
    let scope = |name: &str, methods: Value, service: &str| json!({"name": name, "methods": methods, "paths": [service]});
    let repository = "/git/pub.git";
    json!([
        scope("pub:refs", json!(["GET"]), &format!("{repository}/info/refs")),
        scope("pub:fetch", json!(["POST"]), &format!("{repository}/git-upload-pack")),
        scope("pub:push", json!(["POST"]), &format!("{repository}/git-receive-pack")),
    ])
}

#[test]
fn who_may_fetch_clones_and_does_not_push() {
    let git = repositories();
    let gate = ApplicationGate::new(
        git.address(),
        &json!({"scopes": scopes(), "unauthenticated": "deny"}),
    );
    let url = format!("{}/git/pub.git", gate.url());
    let work = git.path("clone");
    let work = work.to_str().unwrap();
    let reader = gate.token(&["pub:refs", "pub:fetch"]);
    with_token(&git, &reader, &["clone", "--quiet", &url, work]).done();
    gate.recorded("POST", "/git/pub.git/git-upload-pack", "allow", "permit");

    commit(&git, work, "second");
    let push = ["-C", work, "push", "--quiet", "origin", "HEAD:main"];
    let refused = with_token(&git, &reader, &push);
    // The refs are the same resource for both, whatever `service` says: what is refused is the push itself.
    assert!(!refused.success && refused.stderr.contains("403"), "{refused:?}");
    gate.recorded("POST", "/git/pub.git/git-receive-pack", "deny", "out_of_scope");
    assert!(!log(&git, "pub.git").contains("second"));

    let writer = gate.token(&["pub:refs", "pub:push"]);
    with_token(&git, &writer, &push).done();
    gate.recorded("POST", "/git/pub.git/git-receive-pack", "allow", "permit");
    assert!(log(&git, "pub.git").contains("second"));

    let without = run(&git, &["ls-remote", &url]);
    assert!(!without.success, "{without:?}");
    let secret = format!("{}/git/secret.git", gate.url());
    let other = with_token(&git, &reader, &["ls-remote", &secret]);
    assert!(!other.success && other.stderr.contains("403"), "{other:?}");
    gate.verified();
}

fn log(git: &Application, repository: &str) -> String {
    let repository = git.path("repositories").join(repository);
    run(git, &["-C", repository.to_str().unwrap(), "log", "--all", "--format=%s"]).done()
}

#[test]
fn an_alias_of_the_application_is_known_to_no_rule() {
    let git = repositories();
    let alias = "/git/secret/info/refs";
    let read = |body: &[u8]| String::from_utf8_lossy(body).contains(MARKER);
    // That is a limit: the backend takes `secret` for `secret.git`.
    let limit = json!({"scopes": scopes(), "protected": [{"paths": ["/git/secret.git/**"]}]});
    let gate = ApplicationGate::new(git.address(), &limit);
    gate.refuses(&gate.get("/git/secret.git/info/refs"), 401, "token_missing");
    assert!(read(&gate.passes(&gate.get(alias)).body));
    // What is recommended: name what is open.
    for (rule, value) in
        [("unauthenticated", json!("deny")), ("protected", json!([{"paths": ["/**"]}]))]
    {
        let gate = ApplicationGate::new(git.address(), &json!({"scopes": scopes(), rule: value}));
        for path in [alias, "/git/secret.git/info/refs"] {
            gate.refuses(&gate.get(path), 401, "token_missing");
            let token = gate.token(&["pub:refs"]);
            gate.refuses(&gate.get(path).token(&token), 403, "out_of_scope");
            let own = gate.permits(&gate.get("/git/pub.git/info/refs").token(&token));
            assert!(String::from_utf8_lossy(&own.body).contains("refs/heads/main"), "{own:?}");
        }
        gate.verified();
    }
}

#[test]
fn no_spelling_of_a_repository_passes() {
    let git = repositories();
    let refs = Resource {
        path: "/git/secret.git/info/refs",
        rule: "/git/secret.git/**",
        marker: MARKER,
        headers: &[],
        reachable: 5,
    };
    refs.assert_held(git.address());
}

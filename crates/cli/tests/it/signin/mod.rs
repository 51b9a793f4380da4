//! People who sign in: the real service with a small identity provider, and a browser that follows redirects.

mod device;
mod device_service;
mod documented;
mod files;
mod login;
mod profiles;
mod refresh;
mod step_up;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Ran, Server, breakglass};

/// A level that a person with a one-time code has.
const MFA: &str =
    "[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts.amr = [\"otp\"]\n";

/// The machine of a person: a home, and a browser.
pub(super) struct Home(TempDir);

impl Home {
    pub(super) fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        // As a browser: it keeps cookies, follows redirects, and says nothing in the terminal.
        let script = "#!/bin/sh\nprintf '%s\\n' \"$1\" >> \"$HOME/opened\"\n\
                      exec curl --silent --location --cookie '' --output \"$HOME/page\" \"$1\"\n";
        home.executable("browser", script);
        home
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn executable(&self, name: &str, script: &str) {
        fs::write(self.path(name), script).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command of this person's, without a terminal.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = breakglass();
        command.args(arguments).env("HOME", self.0.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("BROWSER", self.path("browser"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, url: &str, arguments: &[&str]) -> Ran {
        let ran = self.command(arguments).env("BREAKGLASS_URL", url).output().unwrap();
        Ran::from(ran)
    }

    /// The only session that is kept here, as it is in its file.
    pub(super) fn session(&self) -> (PathBuf, Value) {
        let files = self.sessions();
        assert_eq!(files.len(), 1, "{files:?}");
        let text = fs::read_to_string(&files[0]).unwrap();
        (files[0].clone(), serde_json::from_str(&text).unwrap())
    }

    /// The files of sessions.
    pub(super) fn sessions(&self) -> Vec<PathBuf> {
        let folder = self.path(".local/state/breakglass/sessions");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect()
    }

    /// The access token of the session is over by this machine's clock.
    pub(super) fn age_session(&self) {
        let (path, mut session) = self.session();
        session["access_expires_at"] = json!(1);
        fs::write(path, session.to_string()).unwrap();
    }
}

/// The service, at which people sign in: its issuer is its own URL.
pub(super) struct SignInService {
    pub(super) server: Server,
    pub(super) provider: TestProvider,
}

impl SignInService {
    pub(super) fn start() -> SignInService {
        SignInService::start_with("")
    }

    /// With more in the entry of the provider `corp`.
    pub(super) fn start_with(more: &str) -> SignInService {
        let directory = tempfile::tempdir().unwrap();
        let provider = TestProvider::start();
        let secret = directory.path().join("secret");
        fs::write(&secret, TestProvider::secret()).unwrap();
        let more = format!("may_approve = true\n{more}\n{MFA}");
        let entry = provider.entry("corp", &secret.display().to_string(), &more);
        // A port that the system has just given is not given again soon.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text =
            config(&directory).replace("https://approvals.test", &format!("http://{address}"));
        let text = format!("administrators = [\"admins\"]\n{text}{entry}");
        let server = Server::start_at(breakglass(), directory, &text, &address.to_string());
        SignInService { server, provider }
    }

    /// The browser that comes next is that of this person.
    pub(super) fn let_in(&self, subject: &str, groups: &[&str]) {
        self.provider.let_in(claims(subject, groups));
    }

    /// A machine on which this person is signed in.
    pub(super) fn signed_in(&self, subject: &str, groups: &[&str]) -> Home {
        let home = Home::new();
        self.let_in(subject, groups);
        home.run(&self.server.url, &["login"]).done();
        home
    }

    pub(super) fn run(&self, home: &Home, arguments: &[&str]) -> Ran {
        home.run(&self.server.url, arguments)
    }
}

/// What the provider says of a person who has signed in this moment.
pub(super) fn claims(subject: &str, groups: &[&str]) -> Value {
    let now = now();
    json!({ "sub": subject, "name": "A. Person", "email": "al@corp.test", "groups": groups, "iat": now,
        "exp": now + 300, "auth_time": now, "amr": ["pwd", "otp"] })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the service judges the provider's word by real time"
)]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

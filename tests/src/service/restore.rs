//! The service's databases: copied while it runs, and put in place of others on another machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{COLLEAGUE, Ran, Service};
use crate::client::request;
use crate::wait::until;

/// How many clients write at once.
const WRITERS: usize = 4;

/// What a writer has written before anything else begins.
const UNDER_WAY: u64 = 100;

impl Service {
    /// Stops it in order, as SIGTERM does.
    ///
    /// # Panics
    /// When it does not end, or not well.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("a running service");
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let status = until("the service to end", || child.try_wait().unwrap());
        assert!(status.success(), "the service ended with {status}:\n{}", self.log());
    }

    /// Runs `breakglass database` on its configuration: the JSON that it prints.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn database_command(&self, arguments: &[&str]) -> Value {
        let command = [&["--json", "database", "--config", "config.toml"], arguments].concat();
        let ran = Ran::from(self.command(&command).output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }

    /// Copies its databases to `backup` in its directory.
    ///
    /// # Panics
    /// When that fails.
    pub fn back_up(&self) {
        let _ = self.database_command(&["backup", "--to", "backup"]);
    }

    /// Moves a service that was stopped to another machine: a new directory with its configuration, its keys, its backup,
    /// and its databases if they are `saved`. It will listen at the same address.
    ///
    /// # Panics
    /// When it runs, or the files cannot be copied.
    pub fn move_elsewhere(&mut self, saved: bool) {
        assert!(self.child.is_none(), "the service runs");
        let new = TempDir::new().unwrap();
        fs::copy(self.path("config.toml"), new.path().join("config.toml")).unwrap();
        for name in ["keys", "backup"] {
            copy_directory(&self.path(name), &new.path().join(name));
        }
        if saved {
            for entry in fs::read_dir(self.directory.path()).unwrap().map(Result::unwrap) {
                if entry.file_name().to_str().unwrap().starts_with("approvals") {
                    fs::copy(entry.path(), new.path().join(entry.file_name())).unwrap();
                }
            }
        }
        self.directory = new;
    }

    /// Runs `action` while four clients submit requests and cancel them: what it returns, and how many writes a second there
    /// were meanwhile.
    ///
    /// # Panics
    /// When a write is refused.
    pub fn under_writes<T>(&self, action: impl FnOnce() -> T) -> (T, f64) {
        let (over, writes) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        self.write();
                        writes.fetch_add(2, Ordering::Relaxed);
                    }
                });
            }
            // The writers end also where the action panics.
            let _over = Over(&over);
            until("the writes", || (writes.load(Ordering::Relaxed) > UNDER_WAY).then_some(()));
            let (start, before) = (Instant::now(), writes.load(Ordering::Relaxed));
            let result = action();
            let written = writes.load(Ordering::Relaxed) - before;
            (result, written as f64 / start.elapsed().as_secs_f64())
        })
    }

    /// Two writes: a request, and its end.
    fn write(&self) {
        let post = |path: &str, body: Value| {
            let credential = self.credential(COLLEAGUE);
            let answer = request("POST", path)
                .header("authorization", format!("Bearer {credential}"))
                .header("content-type", "application/json")
                .body(body.to_string())
                .send(self.address);
            assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
            answer.json()
        };
        let ask = json!({"scopes": ["orders:read"], "reason": "load", "duration": "10m"});
        let made = post("/v1/requests", ask);
        let id = made["id"].as_str().unwrap();
        let _ = post(&format!("/v1/requests/{id}/cancel"), json!({}));
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Copies the files of a directory, for their owner alone.
fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

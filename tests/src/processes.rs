//! Other people's programs as child processes: each with its children a group, and all with one log.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

/// How many lines of the log a test that fails shows.
const LINES: usize = 25;

/// Running programs. Dropping it kills each of them with its children, and shows the end of their log where the test
/// fails: it is dropped before the log's folder.
pub struct Processes {
    /// Whose log it is, for people.
    name: String,
    log: PathBuf,
    running: Vec<Child>,
}

impl Processes {
    /// None yet; what they print will be in this file.
    #[must_use]
    pub fn new(name: impl Into<String>, log: PathBuf) -> Processes {
        Processes { name: name.into(), log, running: Vec::new() }
    }

    /// Starts one, whose output is added to the log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self, command: &mut Command) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.running.push(command.spawn()?);
        Ok(())
    }

    /// How one of them ended, where one did.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.running.iter_mut().find_map(|process| process.try_wait().unwrap())
    }

    /// What they printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.running {
            let group = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
            let _ = kill_process_group(group.unwrap(), Signal::KILL);
            let _ = process.wait();
        }
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LINES)..];
            println!("--- the end of the log of {} ---\n{}", self.name, tail.join("\n"));
        }
    }
}

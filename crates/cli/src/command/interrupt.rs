//! Ctrl-C and SIGTERM while a request waits for its decision: says what is left behind, and how to take it back.

use std::process::exit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::terminal::Terminal;

/// How far the request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is being submitted.
    Asking,
    /// It was submitted.
    Pending(String),
    /// It was decided.
    Decided(String),
}

impl Stage {
    /// What is left behind.
    fn words(&self) -> String {
        match self {
            Stage::Asking => {
                "it is not known whether the request was submitted: `breakglass status --mine \
                              --state pending` shows it, `breakglass cancel REQUEST` takes it back"
                    .to_owned()
            }
            Stage::Pending(id) => format!(
                "{id} is still pending: `breakglass cancel {id}` takes it back, `breakglass token {id}` prints \
                 the token once it is approved"
            ),
            Stage::Decided(id) => {
                format!("{id} is decided: `breakglass status {id}`, `breakglass token {id}`")
            }
        }
    }
}

/// Watches for signals until the process ends.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Mutex<Stage>>);

impl Watch {
    /// Starts to watch. Where the system does not let it, signals end the process as they always do.
    pub(super) fn start(terminal: Terminal) -> Watch {
        let watch = Watch(Arc::new(Mutex::new(Stage::Asking)));
        let watching = watch.clone();
        std::thread::spawn(move || {
            if let Some(code) = received() {
                // Held until the end: what is said stays true.
                let stage = watching.stage();
                terminal.note(&format!("\ninterrupted; {}", stage.words()));
                exit(i32::from(code.code()));
            }
        });
        watch
    }

    /// Says how far the request has come.
    pub(super) fn at(&self, stage: Stage) {
        *self.stage() = stage;
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a signal; nothing where that is not possible.
fn received() -> Option<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).ok()?;
        let mut terminate = signal(SignalKind::terminate()).ok()?;
        tokio::select! {
            _ = interrupt.recv() => Some(Exit::Interrupted),
            _ = terminate.recv() => Some(Exit::Terminated),
        }
    })
}

//! The id of the Envoy process, which all its VMs share.
//!
//! The first VM puts an id on the board, if nothing authentic is there; every VM takes what is there.
//! It is only ever read from the board, so that two VMs that come at once agree. While one VM with
//! this `vm_id` lives, the board keeps the id: a VM that is reloaded, or comes with another
//! configuration, finds it. Another plugin can take the value away or put garbage in its place; then a
//! VM that knows the id puts it back. It cannot make one up.

use super::{Board, BoardKey, Written, first};
use crate::config::Config;
use crate::hex;

/// Bytes of an id.
const ID_BYTES: usize = 16;

/// How often a VM looks again when another one was first.
const ATTEMPTS: usize = 3;

/// What one VM knows of the process that it runs in.
#[derive(Debug)]
pub(crate) struct Process {
    key: BoardKey,
    place: String,
    /// The id as it was read last; before that, what this VM proposes.
    id: [u8; ID_BYTES],
}

impl Process {
    /// `None` without a credential to authenticate it by. `me` is random.
    pub(crate) fn new(config: &Config, me: [u8; 16]) -> Option<Process> {
        let credential = config.revocation.credential.as_ref()?;
        let key = BoardKey::new(credential, &["breakglass process 1"]);
        // `me` is on the board for every plugin to read, and the id says nothing of it.
        let id = first(&key.derive(&me));
        Some(Process { place: key.place("process"), key, id })
    }

    /// The id, as all VMs have it; `None` if there is no board.
    pub(crate) fn id(&mut self, board: &dyn Board) -> Option<ProcessId> {
        for _ in 0..ATTEMPTS {
            let there = board.read(&self.place);
            let id = there.as_ref().and_then(|(value, _)| self.key.open(value)?.try_into().ok());
            if let Some(id) = id {
                self.id = id;
                return Some(ProcessId(id));
            }
            let version = there.map(|(_, version)| version);
            match board.write(&self.place, &self.key.seal(&self.id), version) {
                Written::Done => return Some(ProcessId(self.id)),
                Written::Conflict => {}
                Written::Unavailable => return None,
            }
        }
        None
    }
}

/// The id of an Envoy process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessId([u8; ID_BYTES]);

impl ProcessId {
    /// 32 lower-case hex digits.
    pub(crate) fn text(self) -> String {
        hex::lower(&self.0)
    }

    /// A number that tells processes apart, though not all of them.
    pub(crate) fn number(self) -> u64 {
        u64::from_le_bytes(first(&self.0))
    }
}

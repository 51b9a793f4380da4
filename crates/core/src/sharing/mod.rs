//! What the VMs of one Envoy tell each other.
//!
//! They share nothing but a board of values, which every plugin with the same `vm_id` can read and
//! write. What counts there is authenticated (HMAC-SHA256, RFC 2104) by a key that is derived from this
//! proxy's credential, which another plugin does not have. Without a credential nothing is shared.
//!
//! - `feed`: one VM polls the feed of revocations for all.
//! - `process`: the id of the Envoy process.
//! - `heads`: one VM reports the heads of all idle chains.
//! - `load`: what all VMs hold together, for gauges. That is not authenticated: no decision depends on it.
//! - `begun`: whether a VM takes the place of one that crashed.
//! - `warned`: one VM warns of a configuration; `told`: one VM reports it. That is not authenticated: no decision
//!   depends on it.

mod begun;
mod feed;
mod head_board;
mod heads;
mod load;
mod process;
mod quiet;
mod told;
mod warned;

use hmac_sha256::HMAC;

pub(crate) use begun::{began_before, ends};
pub(crate) use feed::Sharing;
pub(crate) use heads::{Idle, SharedHeads};
pub(crate) use load::{Load, SharedLoad};
pub(crate) use process::{Process, ProcessId};
pub(crate) use told::may_tell;
pub use warned::is_first_to_warn;

use crate::config::Credential;

/// A board of values that all VMs of one proxy read and write, at any time and in any order.
pub trait Board {
    /// The value under a key, and which version of it this is.
    fn read(&self, key: &str) -> Option<(Vec<u8>, Version)>;

    /// Puts a value under a key, if the version there is still the `expected` one; without one, if
    /// nothing is there.
    fn write(&self, key: &str, value: &[u8], expected: Option<Version>) -> Written;
}

/// Which version of a value on the board.
pub type Version = u32;

/// What became of a value for the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    Done,
    /// Another VM was first.
    Conflict,
    /// There is no board.
    Unavailable,
}

/// What authenticates the values of one kind on the board.
struct BoardKey([u8; BoardKey::CODE_BYTES]);

impl BoardKey {
    /// Bytes of an authentication code, which comes before the text of a value.
    const CODE_BYTES: usize = 32;

    /// The key for one use: `about` tells it from every other one.
    fn new(credential: &Credential, about: &[&str]) -> BoardKey {
        BoardKey(HMAC::mac(about.join("\0"), credential.secret()))
    }

    /// Where the values of this use are. The name says nothing about the key.
    fn place(&self, kind: &str) -> String {
        let place = u64::from_le_bytes(first(&HMAC::mac("place", self.0)));
        format!("breakglass.{kind}.{place:016x}")
    }

    /// Bytes that only this key makes of these.
    fn derive(&self, from: &[u8]) -> [u8; BoardKey::CODE_BYTES] {
        HMAC::mac([b"derive\0", from].concat(), self.0)
    }

    /// A value with this text.
    fn seal(&self, text: &[u8]) -> Vec<u8> {
        [&HMAC::mac(text, self.0)[..], text].concat()
    }

    /// The text of a value that was sealed with this key.
    fn open<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        let (code, text) = value.split_first_chunk()?;
        // In constant time: a forger who measures must not learn a code byte by byte.
        HMAC::verify(text, self.0, code).then_some(text)
    }
}

/// The key is a secret: a plugin that has it can forge what is on the board.
impl std::fmt::Debug for BoardKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BoardKey(..)")
    }
}

/// The first bytes, with zeros in place of those that are missing.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    first
}

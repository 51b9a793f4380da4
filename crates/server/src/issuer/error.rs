//! Why the keys cannot be used.

use std::io;
use std::path::PathBuf;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The directory or a file in it cannot be read or written.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// Others may read a private key.
    #[error("{path}: others than its owner may read it: `chmod 600` it, or replace the key", path = .0.display())]
    Exposed(PathBuf),
    /// Others may put keys there.
    #[error("{path}: {who} can write to it, and so choose the key that signs: `chmod {bits}-w {path}`", path = .path.display())]
    Writable {
        /// The key directory, or one above it.
        path: PathBuf,
        /// Who.
        who: String,
        /// Whose right to write is to be taken, as chmod says it.
        bits: &'static str,
    },
    /// It is another user's.
    #[error("{path}: expected root or the service's user ({us}) as its owner, got the user {uid}: `chown {us} {path}` if what is there is yours", path = .path.display())]
    Foreign {
        /// The key directory, or a file in it.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
        /// The service's user.
        us: u32,
    },
    /// A file holds no ES256 private key, or not the one that its name says.
    #[error("{path}: expected an ES256 private key in PEM whose thumbprint is in the file's name", path = .0.display())]
    Invalid(PathBuf),
    /// A file holds no key of the trail, or not the one that its name says.
    #[error("{path}: expected an Ed25519 private key in PEM, the start of whose public key's SHA-256 is in the file's name: put the file back; without it, grants that were approved with it get no token", path = .0.display())]
    InvalidTrailKey(PathBuf),
    /// The file with the key that seals sessions at identity providers holds no such key.
    #[error("{path}: expected 32 bytes in base64url: put the file back, or remove it; without it, people whose groups are to be asked for sign in again", path = .0.display())]
    InvalidProviderSessionKey(PathBuf),
    /// The file that says since when the trail is chained says something else.
    #[error("{path}: expected an instant such as `2026-11-28T02:13:00Z`: put the file back; until then no approval counts that the chain does not have", path = .0.display())]
    InvalidSince(PathBuf),
    /// The file with the key that wraps the others cannot be used.
    #[error("{path}: expected the key that wraps the signing keys: one line of 16 to 4096 bytes, such as `openssl rand -hex 32` prints", path = .0.display())]
    Wrapping(PathBuf),
    /// A key is wrapped, and not by the key that was given.
    #[error("{path}: expected a key that {wrapping} unwraps: put back the one that wrapped it", path = .path.display(), wrapping = .wrapping.display())]
    OtherWrapping {
        /// The key's file.
        path: PathBuf,
        /// The file with the wrapping key.
        wrapping: PathBuf,
    },
    /// A key is wrapped, and no key was given that unwraps it.
    #[error("{path}: this key is wrapped: expected the file with the key that unwraps it in `signing_keys.wrapped_by` (`breakglass keys --config`, or `--wrapped-by`)", path = .0.display())]
    Wrapped(PathBuf),
    /// Two rings have one folder.
    #[error("{path}: it is the same folder as {other}: expected one for each audience in `signing_keys.audiences`, and none of them `key_directory`", path = .path.display(), other = .other.display())]
    Shared {
        /// The folder of one ring.
        path: PathBuf,
        /// That of the other.
        other: PathBuf,
    },
    /// There is no key.
    #[error("{path}: there is no signing key: `breakglass keygen signing --key-dir {path}` makes one", path = .0.display())]
    None(PathBuf),
}

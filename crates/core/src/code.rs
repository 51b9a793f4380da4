//! Authentication codes: HMAC-SHA256 (RFC 2104) with a key of 32 bytes, over texts of any length.

use hmac::digest::Update;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// A code with this key absorbed. A key that is shorter than a block is padded with zeros (RFC 2104, section 2).
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new(&block.into())
}

/// Adds what varies in length, with its length before it, so that no two lists of texts give the same bytes. A
/// `usize` has at most 64 bits.
pub(crate) fn absorb(to: &mut impl Update, bytes: &[u8]) {
    to.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    to.update(bytes);
}

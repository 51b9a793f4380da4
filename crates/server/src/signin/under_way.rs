//! Sign-ins that are under way: between `/oauth2/authorize`, or `/device`, and the provider's callback. The service keeps
//! nothing of them, because a stranger can begin as many as they like: the browser does, sealed, in a cookie. So it is also
//! known that the browser which comes back is the one that was sent away.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_identity::SignIn;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::Digest;
use crate::random::Randomness;

/// What a browser keeps for the service.
pub trait Sealed: Serialize + DeserializeOwned {
    /// What is sealed belongs to this use of the key.
    const USE: &'static [u8];
}

/// A sign-in that is under way.
#[derive(Debug, Serialize, Deserialize)]
pub struct UnderWay {
    /// What the provider's answer is held against.
    pub sign_in: SignIn,
    /// Where it leads.
    pub leads_to: LeadsTo,
}

impl Sealed for UnderWay {
    const USE: &'static [u8] = b"breakglass sign-in 2";
}

/// Where a sign-in leads.
#[derive(Debug, Serialize, Deserialize)]
pub enum LeadsTo {
    /// Back to a client on the machine of the browser, with a code.
    Client(ClientWaits),
    /// To a device that polls.
    Device(DeviceWaits),
}

/// A client that waits at its redirect.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClientWaits {
    /// Where the client's code is sent.
    pub redirect_uri: String,
    /// The client's `code_challenge`.
    pub code_challenge: String,
    /// The client's `state`.
    pub state: String,
}

/// A device that polls.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeviceWaits {
    /// The SHA-256 of its device code.
    pub code: Digest,
    /// The SHA-256 of what the browser has that confirmed it.
    pub browser: Digest,
}

/// The key that seals them: made when the process starts, and nowhere else, so a restart makes void what is under way.
#[derive(Debug)]
pub struct Seals(Option<LessSafeKey>);

impl Seals {
    /// With a new key.
    #[must_use]
    pub fn new(randomness: &Randomness) -> Seals {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &randomness.bytes::<32>());
        Seals(key.ok().map(LessSafeKey::new))
    }

    /// Seals it, as a text that fits into a cookie. Nothing where it cannot be done.
    #[must_use]
    pub fn seal<T: Sealed>(&self, kept: &T, randomness: &Randomness) -> Option<String> {
        let nonce = randomness.bytes::<NONCE_LEN>();
        let mut bytes = serde_json::to_vec(kept).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.as_ref()?.seal_in_place_append_tag(unique, Aad::from(T::USE), &mut bytes).ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
    }

    /// Opens it; nothing where this process did not seal it so.
    #[must_use]
    pub fn open<T: Sealed>(&self, text: &str) -> Option<T> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.as_ref()?.open_in_place(nonce, Aad::from(T::USE), &mut sealed).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

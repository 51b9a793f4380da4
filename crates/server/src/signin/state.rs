//! What the process keeps of sign-ins that are under way: in memory alone, so that strangers cost no row.

use super::devices::Devices;
use super::{AccountLimiter, Limiter, Refreshes, Seals};
use crate::limits::{
    CALLBACKS, CALLBACKS_PER_SOURCE, LOGGED_SIGN_INS, SIGN_INS_PER_ACCOUNT, SIGN_INS_WITHIN_S,
    TYPED_CODES, TYPED_CODES_PER_SOURCE,
};
use crate::random::Randomness;

/// All of it. It is the process's, and no configuration's: a reload leaves it as it is.
#[derive(Debug)]
pub struct SignIns {
    /// What seals the sign-ins that browsers keep.
    pub seals: Seals,
    /// The questions about people's groups.
    pub refreshes: Refreshes,
    /// The device codes.
    pub devices: Devices,
    /// How often a person may type the code of a device.
    pub typed_codes: Limiter,
    /// How often browsers may come back from providers.
    pub callbacks: Limiter,
    /// How often it is logged that a provider was away when a sign-in was to begin, which strangers can have happen.
    pub logged: Limiter,
    /// How often one account may sign in.
    pub by_account: AccountLimiter,
}

impl SignIns {
    /// None yet.
    #[must_use]
    pub fn new(randomness: &Randomness) -> SignIns {
        SignIns {
            seals: Seals::new(randomness),
            refreshes: Refreshes::default(),
            devices: Devices::default(),
            typed_codes: Limiter::new(TYPED_CODES_PER_SOURCE, TYPED_CODES),
            callbacks: Limiter::new(CALLBACKS_PER_SOURCE, CALLBACKS),
            logged: Limiter::new(LOGGED_SIGN_INS, LOGGED_SIGN_INS),
            by_account: AccountLimiter::new(SIGN_INS_PER_ACCOUNT, SIGN_INS_WITHIN_S),
        }
    }
}

//! What one worker remembers of what is measured of it (`measure.rs`).

use crate::config::Config;
use crate::sharing::SharedLoad;

/// What one worker remembers of it.
#[derive(Debug)]
pub(super) struct Measuring {
    has_begun: bool,
    /// `None` where nothing is shared.
    pub(super) load: Option<SharedLoad>,
}

impl Measuring {
    pub(super) fn new(config: &Config, me: [u8; 16]) -> Measuring {
        Measuring { has_begun: false, load: SharedLoad::new(config, me) }
    }

    /// Whether time passes for the first time.
    pub(super) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }
}

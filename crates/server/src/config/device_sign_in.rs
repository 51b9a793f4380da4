//! Who may sign in by a device code.

use breakglass_config_schema::{Reader, one_of};

/// Who may sign in by a device code (RFC 8628).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceSignIn {
    /// People who may approve no scope.
    Requesters,
    /// Approvers too.
    Everyone,
    /// No person: there is no such sign-in.
    Off,
}

pub(super) fn device_sign_in() -> impl Reader<Value = DeviceSignIn> {
    one_of(&[
        ("requesters", DeviceSignIn::Requesters),
        ("everyone", DeviceSignIn::Everyone),
        ("off", DeviceSignIn::Off),
    ])
}

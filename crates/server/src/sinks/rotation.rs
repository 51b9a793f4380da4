//! The call of a hook for rotations: what a webhook is sent, to the hook's URL.

use super::call::{self, Call};
use super::event::Event;
use super::outcome::{Judge, Outcome};
use super::webhook;
use crate::config::RotationHook;

/// What this hook is sent of a rotation that is owed.
///
/// # Errors
/// Says that the file with the secret cannot be used, and why.
pub fn prepare_hook(hook: &RotationHook, event: Event<'_>) -> Result<Call, String> {
    webhook::call(&hook.url, std::slice::from_ref(&hook.secret_file), event)
}

/// Calls the hook once. It takes at most [`RotationHook::timeout`], but for a system that does not answer, and is for a thread
/// of its own.
#[must_use]
pub fn call_hook(hook: &RotationHook, event: Event<'_>) -> Outcome {
    match prepare_hook(hook, event) {
        Ok(call) => call::send(&call, &hook.reach(), Judge::Webhook),
        Err(cause) => Outcome::failed(cause),
    }
}

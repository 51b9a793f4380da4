//! What a provider says, made fit to be shown to a person.

use breakglass_audit::text::misleads;

use crate::limits::MAX_SHOWN_CHARS;

/// A text of a provider as a person may be shown it: at most [`MAX_SHOWN_CHARS`] characters, and each that steers a
/// terminal, turns the text or cannot be seen as U+FFFD.
pub(crate) fn shown(text: &str) -> String {
    let visible = |character| if misleads(character) { '\u{fffd}' } else { character };
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).map(visible).collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

//! Texts of clients, made harmless as far as that is the same in every format: one line, nothing that steers a terminal or turns
//! the text, nothing that cannot be seen, and not too long.

use breakglass_audit::text::misleads;

/// The longest value, in characters.
pub(super) const MAX_VALUE: usize = 600;

/// The most names that one line has.
const MAX_NAMES: usize = 10;

/// `text` on one line of at most so many characters, without what misleads.
#[must_use]
pub(super) fn shown(text: &str, longest: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(longest)
        .map(|one| if misleads(one) { '\u{fffd}' } else { one })
        .collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

/// Names on one line, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

//! A record as one line for people.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::export::Proof;
use crate::text::misleads;

/// How much is shown of a line that cannot be read.
const DAMAGED_CHARACTERS: usize = 200;

/// Writes records, in colour or not.
#[derive(Debug, Clone, Copy)]
pub struct Painter {
    /// Whether colours reach somebody.
    pub colour: bool,
}

impl Painter {
    /// The line for a record.
    #[must_use]
    pub fn line(self, record: &Value, proof: Proof) -> String {
        let text = |name: &str| plain(record.get(name).unwrap_or(&Value::Null));
        let decision = text("decision");
        let style = match decision.as_str() {
            "allow" => AnsiColor::Green.on_default(),
            "deny" => AnsiColor::Red.on_default(),
            "cut" => AnsiColor::Magenta.on_default().bold(),
            "shadow_deny" => AnsiColor::Yellow.on_default(),
            _ => Style::new(),
        };
        let faint = Style::new().dimmed();
        let bold = Style::new().bold();
        let mut line = format!(
            "{} {} {} {} {} {} {}{} {} {}",
            self.paint(faint, &text("time")),
            self.paint(style, &format!("{decision:<5}")),
            text("reason"),
            self.paint(bold, &text("subject")),
            text("method"),
            text("status"),
            text("host"),
            text("path"),
            self.paint(faint, &text("grant")),
            self.paint(faint, &text("incident")),
        );
        match text("phase").as_str() {
            "start" => line.push_str(" (begins)"),
            "decision" => line.push_str(" (no end yet)"),
            _ => {
                line = format!("{line} {} ms {} bytes", text("duration_ms"), text("bytes_sent"));
            }
        }
        if let Some(bytes) = record.get("bytes_after_revocation").and_then(Value::as_u64) {
            line = format!("{line}, {bytes} after revocation");
        }
        if record.get("approved_digest").is_some_and(Value::is_string) {
            line = format!("{line}, by other rules than were approved");
        }
        match proof {
            Proof::Sealed => (),
            Proof::Unproven => {
                let doubt = AnsiColor::Yellow.on_default();
                line = format!("{line} {}", self.paint(doubt, "unproven: it has no seal"));
            }
            Proof::Changed => {
                let words = "CHANGED: its hash is not that of its text";
                line = format!("{line} {}", self.alarm(words));
            }
        }
        line
    }

    /// The line for what cannot be read: why, and how its text begins.
    #[must_use]
    pub fn damage(self, reason: &str, text: &str) -> String {
        let beginning: String = text.chars().take(DAMAGED_CHARACTERS).map(shown).collect();
        let reason: String = reason.chars().map(shown).collect();
        format!("{} {beginning}", self.alarm(&format!("DAMAGED: {reason}:")))
    }

    fn alarm(self, words: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold().invert(), words)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// A value that does nothing to a terminal.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().map(shown).collect()
}

fn shown(character: char) -> char {
    if misleads(character) { '\u{fffd}' } else { character }
}

//! What the command line writes: results on stdout, words for people on stderr.

use std::io::{self, IsTerminal as _, Write};

use serde_json::Value;

use crate::client::Failure;
use breakglass_audit::text::{harmless_json, misleads};

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// stdout carries JSON and nothing else.
    pub json: bool,
}

impl Terminal {
    /// The result: `text`, or `value` where JSON is asked for.
    ///
    /// # Errors
    /// When stdout is closed: the result did not arrive.
    pub fn result(self, text: &str, value: &Value) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = if self.json {
            writeln!(stdout, "{}", harmless_json(&value.to_string()))
        } else {
            writeln!(stdout, "{}", visible(text))
        };
        written.and_then(|()| stdout.flush()).map_err(|error| Failure::Output(error.to_string()))
    }

    /// Words on stderr. Whether they are read changes nothing.
    pub fn note(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", visible(text));
    }

    /// The same, for what must not be overlooked: in red, where stderr is a terminal.
    pub fn alarm(self, text: &str) {
        // https://no-color.org
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let colour = wanted && !self.json && io::stderr().is_terminal();
        let _ = writeln!(io::stderr().lock(), "{}", red(&visible(text), colour));
    }

    /// A question on stderr, without a line break.
    pub fn ask(self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{}", visible(text));
        let _ = stderr.flush();
    }
}

fn red(text: &str, colour: bool) -> String {
    match colour {
        true => format!("\u{1b}[31m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// Nothing that a service sends may steer the terminal.
fn visible(text: &str) -> String {
    text.chars()
        .map(
            |character| {
                if character != '\n' && misleads(character) { '\u{fffd}' } else { character }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn red_is_for_a_terminal_alone() {
        assert_eq!(red("a", false), "a");
        assert_eq!(red(&visible("a\u{1b}"), true), "\u{1b}[31ma\u{fffd}\u{1b}[0m");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}\nc"), "a\u{fffd}[2Jb\u{fffd}\nc");
    }
}

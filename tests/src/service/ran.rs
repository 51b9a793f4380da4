//! A command that has ended: its exit code and what it printed.

use std::process::Output;

use serde_json::Value;

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// What it printed for scripts.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).expect("a command prints UTF-8");
        Ran {
            code: output.status.code().expect("a command ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// The one line that it printed.
    ///
    /// # Panics
    /// When it did not end well.
    #[must_use]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        let line = self.stdout.strip_suffix('\n').expect("a line");
        assert!(!line.contains('\n'), "{self:?}");
        line.to_owned()
    }

    /// The JSON that it printed.
    ///
    /// # Panics
    /// When it printed something else.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

//! What an examination comes to: how many things were looked at, what is wrong with them, and what could not be looked at.

use std::path::Path;

/// Something that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong: file or field, expected, got.
    pub what: String,
    /// The command or the line of the configuration that fixes it.
    pub fix: String,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChecked {
    /// What.
    pub what: String,
    /// Why not, and what to do.
    pub why: String,
}

/// What an examination comes to.
#[derive(Debug, Default)]
pub struct Report {
    /// How many things were looked at.
    pub checked: usize,
    /// What is wrong with them.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub not_checked: Vec<NotChecked>,
    /// What is not known here, and no reason to act.
    pub notes: Vec<String>,
}

impl Finding {
    /// A finding.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { what: what.into(), fix: fix.into() }
    }
}

impl Report {
    /// One thing was looked at; it is right where there is no finding.
    pub fn checked(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.checked = self.checked.saturating_add(1);
        self.findings.extend(findings);
    }

    /// One thing could not be looked at.
    pub fn not_checked(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.not_checked.push(NotChecked { what: what.into(), why: why.into() });
    }

    /// Something is not known here.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// A path as a shell reads it.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_path_as_one_word() {
        for (path, expected) in [
            ("/var/lib/keys", "/var/lib/keys"),
            ("/a b", "'/a b'"),
            ("/a'b;c", "'/a'\\''b;c'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}

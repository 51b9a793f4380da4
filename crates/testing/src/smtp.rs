//! A real mail server (PyPI `aiosmtpd`, as scripts/fetch-aiosmtpd puts it into .cache), with STARTTLS by a certificate for
//! `localhost`, and what it took.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// As scripts/fetch-aiosmtpd pins it.
const VERSION: &str = "1.4.6";

/// How it is started: with which port, STARTTLS, user and password, and which answers to DATA come first.
const SERVER: &str = include_str!("smtp.py");

/// How often it is looked for a letter, a twentieth of a second apart.
const TRIES: u32 = 600;

/// A running mail server. Dropping it kills it.
pub struct MailServer {
    pub port: u16,
    child: Child,
    folder: TempDir,
}

impl MailServer {
    /// One that offers STARTTLS and takes no letter without it, from the user `breakglass` with the password `secret`; the
    /// first letters are answered by `answers` in place of being taken.
    pub fn with_tls(certificate: &str, key: &str, answers: &[&str]) -> MailServer {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = [("certificate", certificate), ("key", key)].map(|(name, pem)| {
            let path = folder.path().join(name);
            fs::write(&path, pem).unwrap();
            path
        });
        MailServer::start(folder, &[certificate.to_str().unwrap(), key.to_str().unwrap()], answers)
    }

    /// One without TLS. It knows no mailbox `refused@..`.
    pub fn plain() -> MailServer {
        MailServer::plain_answering(&[])
    }

    /// One without TLS; the first letters are answered by `answers` in place of being taken.
    pub fn plain_answering(answers: &[&str]) -> MailServer {
        MailServer::start(tempfile::tempdir().unwrap(), &["", ""], answers)
    }

    fn start(folder: TempDir, tls: &[&str], answers: &[&str]) -> MailServer {
        let installed =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/aiosmtpd").join(VERSION);
        assert!(
            installed.join("made-of").exists(),
            "{} is missing: run scripts/fetch-aiosmtpd",
            installed.display()
        );
        let letters = folder.path().join("letters");
        fs::create_dir(&letters).unwrap();
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .arg(&letters)
            .args(tls)
            .args(answers)
            .env("PYTHONPATH", &installed)
            .env("PYTHONWARNINGS", "ignore")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("no port: {line:?}"));
        MailServer { port, child, folder }
    }

    /// The letters that it took, as the mail server parsed them: `from`, `to`, `headers`, `plain`, `html`, `raw`, `tls`.
    pub fn letters(&self) -> Vec<Value> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.folder.path().join("letters"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        files.sort();
        files.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
    }

    /// The same, when there are so many.
    pub async fn until(&self, count: usize) -> Vec<Value> {
        for _ in 0..TRIES {
            let letters = self.letters();
            if letters.len() >= count {
                return letters;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {count} letters came");
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

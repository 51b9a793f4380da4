//! The service with TLS: people at one listener, and proxies by their client certificates at another.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::Service;
use crate::wait::until;

impl Service {
    /// Starts it again with TLS, by `service.crt` and `service.key` in `files`. Proxies have a listener of their own that
    /// requires a client certificate of an authority in `clients.crt`, and are known as `proxies` says (TOML). People trust
    /// `ca.crt`.
    ///
    /// # Panics
    /// When it does not start: the message is its log.
    pub fn secure(&mut self, files: &Path, proxies: &str) {
        let path = self.path("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("listen = \"127.0.0.1:0\"\n", "");
        let (before, after) = text.split_once("[[proxies]]").unwrap();
        let (_, scopes) = after.split_once("[[scopes]]").unwrap();
        let at = files.display();
        let tls =
            format!("certificate_file = \"{at}/service.crt\"\nkey_file = \"{at}/service.key\"\n");
        let text = format!(
            "{before}{proxies}[[scopes]]{scopes}[tls]\n{tls}\
             [[listeners]]\naddress = \"127.0.0.1:0\"\nserves = [\"people\", \"metrics\"]\n\
             [[listeners]]\naddress = \"127.0.0.1:0\"\nserves = [\"proxies\"]\n\
             [listeners.tls]\n{tls}client_ca_file = \"{at}/clients.crt\"\nclient_certificates = \"required\"\n"
        );
        fs::write(path, text).unwrap();
        self.ca_file = Some(files.join("ca.crt"));
        self.kill();
        self.start_again();
    }

    /// Keeps the ports of its two listeners over the next starts, where it was [secured](Service::secure).
    ///
    /// # Panics
    /// When it was not.
    pub fn keep_addresses(&self) {
        let path = self.path("config.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        for (serves, address) in [("people", self.address), ("proxies", self.proxies_address())] {
            let free = format!("address = \"127.0.0.1:0\"\nserves = [\"{serves}\"");
            assert!(text.contains(&free), "{text}");
            text = text.replace(&free, &format!("address = \"{address}\"\nserves = [\"{serves}\""));
        }
        fs::write(path, text).unwrap();
    }

    /// Where it listens for proxies.
    ///
    /// # Panics
    /// When it was not [secured](Service::secure).
    #[must_use]
    pub fn proxies_address(&self) -> SocketAddr {
        until("the proxies' listener in the service's log", || {
            let log = self.log();
            let line = log.lines().rev().find(|line| line.contains("serves=proxies"))?;
            let address = line.split("https://").nth(1)?.split(['"', ' ']).next()?;
            address.parse().ok()
        })
    }
}

//! Real applications, to stand behind the gate: each a child process with a directory of its own.

pub mod apache;
pub mod verdaccio;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::client::{Answer, Request, get};
use crate::wait::until;

/// Where an application's output goes, in its directory.
const LOG: &str = "log";

/// A running application. Dropping it kills it.
pub struct Application {
    child: Child,
    directory: TempDir,
    port: ReservedPort,
}

impl Application {
    /// Starts `command` and waits until `ready` is answered.
    fn start(mut command: Command, directory: TempDir, port: ReservedPort, ready: &str) -> Self {
        let log = File::create(directory.path().join(LOG)).unwrap();
        command.current_dir(directory.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut application = Application { child, directory, port };
        until(&format!("{command:?}"), || {
            let ended = application.child.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?} ended, {ended:?}: {}", application.log());
            get(ready).try_send(application.address()).ok()
        });
        application
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its own directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sends a request to the application itself, past every gate.
    #[must_use]
    pub fn send(&self, request: &Request) -> Answer {
        request.send(self.address())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port for an application that must be told one.
///
/// It is bound for as long as this lives, so that nobody else gets it for the asking; as nobody listens on it
/// and `SO_REUSEADDR` is set, the application can bind it too.
struct ReservedPort(Socket);

impl ReservedPort {
    fn new() -> ReservedPort {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        ReservedPort(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().expect("an IP address")
    }
}

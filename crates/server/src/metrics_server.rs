//! A socket for `/metrics` alone: who may connect to it can do nothing else there.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::connections::{self, Limits};
use crate::routes::metrics_router;

/// How many connections there may be: a pair of Prometheus, and a person who looks.
const CONNECTIONS: usize = 32;

/// A running one. Dropping it ends it.
#[derive(Debug)]
pub struct MetricsServer(tokio::task::JoinHandle<()>, watch::Sender<bool>);

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.1.send_replace(true);
        self.0.abort();
    }
}

/// Starts one, and logs where.
///
/// # Errors
/// The address cannot be listened on.
pub async fn start(app: &App, address: SocketAddr) -> std::io::Result<MetricsServer> {
    let listener = TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tracing::info!(url, "metrics");
    let (stop, stopped) = watch::channel(false);
    let limits = Limits::new(CONNECTIONS, Some(CONNECTIONS));
    let router = metrics_router(app.clone());
    let connections = app.metrics().connections();
    let served = connections::serve(listener, router, limits, connections, stopped);
    Ok(MetricsServer(tokio::spawn(served), stop))
}

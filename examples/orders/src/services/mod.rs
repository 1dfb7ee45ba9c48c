//! Three services: [`orders`] calls [`stock`], which calls [`warehouse`].
//!
//! Each has its own port and database, like a separate program, and sees the others as [`peer`]s. The layer around each
//! service opens a span for a request, in the caller's trace, and logs a line when the request ends. The services need no
//! code for that.

pub(crate) mod orders;
mod peer;
pub(crate) mod stock;
pub(crate) mod warehouse;

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::StatusCode;
use spanline::tower::ServerLayer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info};

use peer::Peer;

/// A running service.
pub(crate) struct Service {
    name: &'static str,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl Service {
    /// Serves on a loopback port that the system chooses.
    pub(crate) async fn start(name: &'static str, routes: Router) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        // The three services share one log. A program with its own log calls the builder's `.service(…)` instead.
        let layer = ServerLayer::new().on_request(move |_, fields| fields.add("service", name));
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, routes.layer(layer)).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        info!(service = name, %address, "listening");
        Ok(Self { name, address, stop, server: tokio::spawn(server.into_future()) })
    }

    /// Returns the client that other services call it with.
    pub(crate) fn peer(&self) -> Result<Peer, reqwest::Error> {
        Peer::new(self.name, self.address)
    }

    /// Answers the requests under way, then ends.
    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        drop(self.stop);
        self.server.await??;
        info!(service = self.name, "stopped");
        Ok(())
    }
}

fn unavailable(error: impl Error + 'static) -> StatusCode {
    // Logged as an error, not as text, so the line contains its sources.
    error!(error = &error as &dyn Error, "request failed");
    StatusCode::SERVICE_UNAVAILABLE
}

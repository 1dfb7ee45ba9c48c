//! A service as another one sees it: HTTP calls that carry the context.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response};
use serde::Serialize;
use tracing::{debug, instrument};

/// A client of one service.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    name: &'static str,
    address: SocketAddr,
    client: Client,
}

impl Peer {
    pub(super) fn new(name: &'static str, address: SocketAddr) -> Result<Self, reqwest::Error> {
        // A proxy from the environment could not reach this machine's loopback.
        Ok(Self { name, address, client: Client::builder().no_proxy().build()? })
    }

    /// Sends a request with the ids of the current span. Fails without an answer, and if its status is 500 or higher.
    #[instrument(name = "call", skip_all, fields(peer = self.name))]
    pub(super) async fn call(&self, method: Method, path: &str, body: &impl Serialize) -> Result<Response, CallError> {
        let mut headers = HeaderMap::new();
        // The current span, `call`, becomes the parent of the other side's span.
        spanline::tower::inject(&mut headers);
        let request = self.client.request(method, format!("http://{}{path}", self.address)).headers(headers);
        let answer = async {
            let response = request.json(body).send().await?;
            debug!(status = response.status().as_u16(), "answered");
            if response.status().is_server_error() { response.error_for_status() } else { Ok(response) }
        };
        answer.await.map_err(|source| CallError { peer: self.name, source })
    }
}

/// A failed call to another service.
#[derive(Debug)]
pub(super) struct CallError {
    peer: &'static str,
    source: reqwest::Error,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot call {}", self.peer)
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

//! Answers scrapes over HTTP/1.1.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use spanline::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};

/// Of more connections, the oldest one is closed: a scrape takes no time, so that one is idle, or half open.
const MAX_CONNECTIONS: usize = 32;

/// How long a request's head may take, and a connection in all.
const HEAD_TIME: Duration = Duration::from_secs(5);
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// After an error of the system, such as too many descriptors.
const PAUSE: Duration = Duration::from_millis(100);

const MAX_HEAD_BYTES: usize = 16 << 10;

/// Answers until it is dropped.
#[derive(Debug)]
pub(super) struct Scrape {
    runtime: Option<Runtime>,
    pub(super) address: SocketAddr,
}

impl Scrape {
    /// Listens, and answers with what `text` returns.
    ///
    /// # Errors
    /// The address is none of this machine, or is in use.
    pub(super) fn start(address: &str, text: impl Fn() -> String + Send + Sync + 'static) -> Result<Self, Error> {
        let failed = |error| Error::io(format!("listen on {address} for --prometheus"), error);
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) }).map_err(failed)?;
        runtime.spawn(serve(listener, Arc::new(text)));
        Ok(Self { runtime: Some(runtime), address: bound })
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        // Connections end with it.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

async fn serve<F: Fn() -> String + Send + Sync + 'static>(listener: tokio::net::TcpListener, text: Arc<F>) {
    let mut open = VecDeque::<JoinHandle<()>>::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MAX_CONNECTIONS {
            open.pop_front().into_iter().for_each(|oldest| oldest.abort());
        }
        let text = Arc::clone(&text);
        open.push_back(tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &*text);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(MAX_HEAD_BYTES);
            // Errors of the peer are ignored.
            let _ = timeout(CONNECTION_TIME, http.serve_connection(TokioIo::new(stream), service)).await;
        }));
        // Of many that wait, each is answered before it is too old.
        yield_now().await;
    }
}

fn answer(request: &Request<Incoming>, text: &dyn Fn() -> String) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, body) = match request.uri().path() {
        "/" | "/metrics" if is_read => (StatusCode::OK, text()),
        "/" | "/metrics" => (StatusCode::METHOD_NOT_ALLOWED, "expected GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "expected /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

//! Lines over HTTP/1.1: one connection.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::patience::Patience;
use super::requests;
use super::server::Shared;
use super::stream::Stream;

/// At the end, a connection without a request is closed after this time.
const LINGER: Duration = Duration::from_millis(500);

/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;

/// Serves one connection to its end.
pub(super) async fn serve(stream: Box<dyn Stream>, sender: String, address: Option<IpAddr>, shared: Arc<Shared>) {
    let sender: Arc<str> = sender.into();
    let mut stop = shared.stop.clone();
    let longest = shared.limits.line_timeout;
    let mut builder = http1::Builder::new();
    // A sender may close its direction behind its last request, and read the answer.
    builder.half_close(true);
    builder.timer(TokioTimer::new()).header_read_timeout(longest).max_buf_size(MAX_HEAD);
    let requests = Arc::new(());
    let open = Arc::downgrade(&requests);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (shared, sender, request_is_open) = (Arc::clone(&shared), Arc::clone(&sender), Arc::clone(&requests));
        async move {
            let _request_is_open = request_is_open;
            let (answer, has_lines) = requests::answer(request, &sender, &shared).await;
            if has_lines {
                shared.senders.saw(address);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = Patience::new(stream, longest);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Its end is that of the connection. What a request had is answered, or is not acknowledged.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.begins() => {
            connection.as_mut().graceful_shutdown();
            // The rest of a head that has begun may never come. The service itself holds one.
            while timeout(LINGER, connection.as_mut()).await.is_err() && open.strong_count() > 1 {}
        }
    }
}

//! The context in HTTP requests: layers for servers and clients built from `tower` services, as in axum, hyper and tonic.
//!
//! [`ServerLayer`] opens a span for each request, with the caller's trace and request id or new ones, and logs a line when
//! the request has finished. [`ClientLayer`] and [`inject`] send the current context to other services. Incoming headers
//! are not trusted: they are checked, cut, and escaped like any value.
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # async fn serve() -> std::io::Result<()> {
//! use axum::{Router, routing::get};
//! use spanline::tower::ServerLayer;
//!
//! let app: Router = Router::new()
//!     .route("/orders/{id}", get(|| async { "an order" }))
//!     .layer(ServerLayer::new().log_when(|finished| finished.path() != "/healthz"));
//! # let listener: tokio::net::TcpListener = todo!();
//! axum::serve(listener, app).await
//! # }
//! ```

mod body;
mod client;
mod client_log;
mod detail;
mod exchange;
mod finished;
mod flush;
mod future;
mod hooks;
#[cfg(feature = "axum")]
mod in_axum;
#[cfg(feature = "opentelemetry")]
mod otel;
mod outcome;
mod received;
mod reported;
mod request_head;
mod response_error;
mod sent;
mod server;
mod variable;

pub use body::LoggedBody;
pub use client::{Client, ClientLayer, inject};
pub use client_log::{LoggedClient, LoggedClientFuture, LoggedClientLayer};
pub use detail::Detail;
pub use exchange::Exchange;
pub use finished::Finished;
pub use flush::{FlushLayer, Flushed, FlushedFuture};
pub use future::ResponseFuture;
pub use hooks::Fields;
pub use outcome::Outcome;
pub use response_error::ResponseError;
pub use server::{Server, ServerLayer};
pub use variable::set_request_variable;

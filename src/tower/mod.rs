//! The context in HTTP requests: layers for servers and clients made of `tower` services, as in axum, hyper and tonic.
//!
//! [`ServerLayer`] opens a span for each request, with the trace and the request id that the caller sent or new ones,
//! and logs a line when the request is over. [`ClientLayer`] and [`inject`] send the current context along. What comes
//! with a request is not trusted: it is checked, cut, and escaped like any value.
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
mod exchange;
mod future;
mod hooks;
#[cfg(feature = "axum")]
mod in_axum;
mod server;

pub use body::LoggedBody;
pub use client::{Client, ClientLayer, inject};
pub use exchange::{Finished, Outcome};
pub use future::ResponseFuture;
pub use hooks::Fields;
pub use server::{Server, ServerLayer};

//! reqwest: the client as a `tower` service.

use ::reqwest::{Body, Client, Error};
use spanline::tower::ClientLayer;
use tower::{Layer, Service, service_fn};

/// Returns a client that sends the current context, and logs its requests.
pub fn client(client: Client) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Error> {
    let send = service_fn(move |request: http::Request<Body>| {
        let client = client.clone();
        async move { Ok(client.execute(request.try_into()?).await?.into()) }
    });
    ClientLayer::new().log_requests().layer(send)
}

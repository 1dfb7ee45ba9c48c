//! The client: sends requests, each with its own id.
//!
//! Requests carry a token and a card number, as real ones do. Neither must appear in the log.

use std::error::Error;
use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

const TOKEN: &str = "k3pt-0ut-0f-the-l0g";
const NOTE: &str = "please charge 4111 1111 1111 1111";

/// The answer to one request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request_id: String,
    pub(crate) status: StatusCode,
}

/// Sends `requests` requests, `concurrency` at a time, and collects the answers.
pub(crate) async fn send(
    server: SocketAddr,
    requests: usize,
    concurrency: usize,
    answers: &mut Vec<Answer>,
) -> Result<(), Box<dyn Error>> {
    // A proxy from the environment could not reach this machine's loopback.
    let client = Client::builder().no_proxy().build()?;
    let mut under_way = JoinSet::new();
    for number in 0..requests {
        if under_way.len() == concurrency
            && let Some(answer) = under_way.join_next().await
        {
            answers.push(answer??);
        }
        let request_id = spanline::propagate::new_request_id();
        let request = request(&client, server, number).bearer_auth(TOKEN).header("x-request-id", &request_id);
        let answer = request.send();
        under_way.spawn(async move { Ok::<_, reqwest::Error>(Answer { request_id, status: answer.await?.status() }) });
    }
    while let Some(answer) = under_way.join_next().await {
        answers.push(answer??);
    }
    Ok(())
}

/// Three in four requests load an order, which is sometimes missing. The others place one, and some of them fail.
fn request(client: &Client, server: SocketAddr, number: usize) -> RequestBuilder {
    if !number.is_multiple_of(4) {
        let id = if number % 16 == 3 { 1_000_000 } else { 1 + number % 100 };
        return client.get(format!("http://{server}/orders/{id}"));
    }
    let (item, quantity) = match number / 4 % 10 {
        3 => ("tea", 1_000),
        7 => ("mercury", 1),
        place => ("coffee", place + 1),
    };
    let order = json!({ "item": item, "quantity": quantity, "note": NOTE });
    client.post(format!("http://{server}/orders")).json(&order)
}

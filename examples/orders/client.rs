//! The other side: sends requests, each with an id of its own.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

/// How a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request_id: String,
    pub(crate) status: StatusCode,
}

/// Sends `requests` requests, `concurrency` at a time, and gathers the answers.
pub(crate) async fn send(
    server: SocketAddr,
    requests: usize,
    concurrency: usize,
    answers: &mut Vec<Answer>,
) -> Result<(), Box<dyn Error>> {
    // Past any proxy that the environment names: it could not reach this machine's loopback.
    let client = Client::builder().no_proxy().build()?;
    let mut under_way = JoinSet::new();
    for number in 0..requests {
        if under_way.len() == concurrency
            && let Some(answer) = under_way.join_next().await
        {
            answers.push(answer??);
        }
        let request_id = random_id();
        let answer = request(&client, server, number).header("x-request-id", &request_id).send();
        under_way.spawn(async move { Ok::<_, reqwest::Error>(Answer { request_id, status: answer.await?.status() }) });
    }
    while let Some(answer) = under_way.join_next().await {
        answers.push(answer??);
    }
    Ok(())
}

/// Three in four load an order, some of them one that is not there; the others place one, and some of those fail.
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
    client.post(format!("http://{server}/orders")).json(&json!({ "item": item, "quantity": quantity }))
}

/// A random UUID; the hasher's keys save this example a dependency.
pub(crate) fn random_id() -> String {
    let half = || u128::from(RandomState::new().hash_one(0));
    let bits = half() << 64 | half();
    let bits = bits & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

//! Texts of the real world, and large ones.

use std::hint::black_box;
use std::sync::LazyLock;

use tracing::info;

use crate::works::{Part, Work};

/// Texts of the real world, and what looking for secrets in one of their bytes may cost. Each is the field of an event,
/// and has no secret.
pub(crate) const TEXTS: [Text; 5] = [
    Text::new("url", "url_line", URL, url, 7.0),
    Text::new("user_agent", "user_agent_line", USER_AGENT, user_agent, 6.1),
    Text::new("sql", "sql_line", SQL, sql, 6.5),
    Text::new("trace", "trace_line", TRACE, trace, 5.3),
    Text::new("json", "json_line", JSON, json, 16.6),
];

const URL: &str = "https://shop.example.org/products/blue-shoes?color=navy&size=42&page=2&sort=-created#reviews";
const USER_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
const SQL: &str = "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id \
    WHERE o.state = 'open' ORDER BY o.created_at DESC";
const TRACE: &str = "   0: orders::db::load\n             at src/db.rs:42:17\n   1: orders::handler::show\n             \
    at src/handler.rs:17:9\n   2: tokio::runtime::task::core::poll\n             at tokio-1.45/src/runtime/task/core.rs:331:9";
const JSON: &str =
    r#"response: {"order":{"id":4711,"state":"open","items":[{"sku":"AB-1234","count":2}]},"cached":true}"#;

/// Messages of 4 KiB with characters beyond ASCII or characters that JSON escapes, and what the worker's whole line may
/// cost for each byte of them.
pub(crate) const ESCAPED: [Text; 8] = [
    Text::large("cyrillic", "cyrillic_line", cyrillic, 2.9),
    Text::large("chinese", "chinese_line", chinese, 5.9),
    Text::large("german", "german_line", german, 2.9),
    Text::large("emoji", "emoji_line", emoji, 6.5),
    Text::large("quotes", "quotes_line", quotes, 8.9),
    Text::large("json_text", "json_text_line", json_text, 8.6),
    Text::large("paths", "paths_line", paths, 8.6),
    Text::large("lines", "lines_line", lines, 8.2),
];

const LARGE_BYTES: usize = 4096;

/// Fewer operations for large texts: all of them wait in the queue.
const LARGE_OPERATIONS: u32 = 500;

pub(crate) struct Text {
    /// The events, and the lines that the worker writes of them.
    pub(crate) works: [Work; 2],
    pub(crate) bytes: usize,
    /// Instructions for each byte.
    pub(crate) most: f64,
}

impl Text {
    const fn new(event: &'static str, line: &'static str, text: &str, operation: fn(u32), most: f64) -> Self {
        let events = Work::new(event, "event with this text", 0.0, Part::Caller(operation, 1));
        let lines = Work::new(line, "worker: line of it", 0.0, Part::Worker { of: event, lines: 1 });
        Self { works: [events, lines], bytes: text.len(), most }
    }

    const fn large(event: &'static str, line: &'static str, operation: fn(u32), most: f64) -> Self {
        let events = Work::new(event, "event with this text", 0.0, Part::Caller(operation, 1));
        let lines = Work::new(line, "worker: line of it", 0.0, Part::Worker { of: event, lines: 1 });
        let works = [Work { operations: LARGE_OPERATIONS, ..events }, Work { operations: LARGE_OPERATIONS, ..lines }];
        Self { works, bytes: LARGE_BYTES, most }
    }
}

fn url(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(URL), "text"));
}

fn user_agent(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(USER_AGENT), "text"));
}

fn sql(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(SQL), "text"));
}

fn trace(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(TRACE), "text"));
}

fn json(times: u32) {
    (0..times).for_each(|_| info!(text = black_box(JSON), "text"));
}

/// Defines the operations of [`ESCAPED`]: events whose message is a text, repeated until it is large.
macro_rules! large {
    ($($name:ident: $text:expr),* $(,)?) => {
        $(fn $name(times: u32) {
            static TEXT: LazyLock<String> = LazyLock::new(|| filled($text));
            let text = TEXT.as_str();
            (0..times).for_each(|_| info!(message = black_box(text)));
        })*
    };
}

large! {
    cyrillic: "Не удалось загрузить заказ: соединение с базой данных потеряно, повтор через пять секунд. ",
    chinese: "无法加载订单：与数据库的连接已断开，五秒后重试。用户“王小明”的购物车里有三件商品。",
    german: "Die Bestellung für Frau Müller in Köln wurde übernommen; das Päckchen geht morgen früh über Nürnberg. ",
    emoji: "🚀🎉 order shipped 📦✅ — 👩‍💻 thanks you ❤️🙏 ",
    quotes: "\"",
    json_text: r#"{"order":{"id":4711,"state":"open","items":[{"sku":"AB-1234","count":2}]},"cached":true}"#,
    paths: r"C:\Users\Service\AppData\Local\Orders\cache\2026-11-29\4711.json ",
    lines: "error: connection refused\n\tat orders::db::load (src/db.rs:42)\n\tat orders::handler::show (src/handler.rs:17)\n",
}

fn filled(part: &str) -> String {
    part.repeat(LARGE_BYTES / part.len()) + &" ".repeat(LARGE_BYTES % part.len())
}

//! One connection to the server, and the runtime that it lives on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::SinkExt;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Handle, Runtime};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::table::Table;
use super::upkeep::{Report, Task};
use crate::error::Error;
use crate::process::Mark;
use crate::sink::OwnThreads;

/// A connection, and what runs on it.
pub(super) struct Session {
    /// `None` only while it is dropped.
    parts: Option<Parts>,
    limit: Duration,
    /// The process that connected. No other may use or close the connection.
    process: u32,
    /// Stands for the descriptors of the connection and the runtime.
    mark: Arc<Mark>,
    copy: String,
    /// Whether batches are counted at the server.
    pub(super) has_senders: bool,
}

struct Parts {
    /// What runs, and goes on in the next call.
    running: Option<Running>,
    /// `None` until it is logged in.
    client: Option<Arc<Client>>,
    runtime: Runtime,
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What the future ends with.
enum Outcome {
    Connected { client: Client, has_senders: bool },
    Done(Done),
}

/// What came of it.
pub(super) enum Done {
    Connected,
    /// The number of the last batch that was committed.
    Asked(u64),
    Copied(Result<(), Failed>),
    KeptUp(Report),
    /// Nothing was sent.
    Failed(Error),
}

/// How far a batch came.
pub(super) enum Failed {
    /// Nothing of it is at the server.
    Before(tokio_postgres::Error),
    /// The server has refused its rows.
    Refused(tokio_postgres::Error),
    /// It may be committed.
    Unknown(String),
    Late,
}

impl Session {
    /// Begins to connect, to log in, and to prepare the table.
    pub(super) fn begin(
        address: &Address,
        password: Option<&str>,
        table: &Table,
        creates: bool,
        sender: &str,
        limit: Duration,
        threads: &OwnThreads,
    ) -> Result<Self, Error> {
        let own = threads.clone();
        let no_socket = |error| Error::io(format!("connect to {address}"), error);
        let mark = Mark::new().map_err(no_socket)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .on_thread_start(move || own.mark_thread())
            .build()
            .map_err(no_socket)?;
        let mut config = address.config.clone();
        if let Some(password) = password {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("spanline");
        }
        let tls = if address.uses_tls() { Some(tls(address)?) } else { None };
        let prepare = Prepare {
            create: creates.then(|| table.create()),
            has_senders: table.has_senders(),
            enter: table.enter(sender),
            limit,
        };
        let (handle, doing) = (runtime.handle().clone(), format!("connect to {address}"));
        let running = async move {
            let connect = async {
                let client = match tls {
                    Some(tls) => {
                        let (client, connection) = config.connect(tls).await?;
                        handle.spawn(connection);
                        client
                    }
                    None => {
                        let (client, connection) = config.connect(NoTls).await?;
                        handle.spawn(connection);
                        client
                    }
                };
                let has_senders = prepare.run(&client).await?;
                Ok((client, has_senders))
            };
            match timeout(limit, connect).await {
                Ok(Ok((client, has_senders))) => Outcome::Connected { client, has_senders },
                Ok(Err(error)) => Outcome::Done(Done::Failed(failed(&doing, &error))),
                Err(_) => Outcome::Done(Done::Failed(Error::retry(format!("{doing}: no answer within {limit:?}")))),
            }
        };
        let parts = Parts { running: Some(Box::pin(running)), client: None, runtime };
        let process = std::process::id();
        Ok(Self { parts: Some(parts), limit, process, mark, copy: table.copy(), has_senders: false })
    }

    /// Returns whether something runs.
    pub(super) fn is_running(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.running.is_some())
    }

    /// Waits for what runs. `None`: it goes on in the next call.
    ///
    /// # Blocking
    /// For `wait` at most.
    pub(super) fn wait(&mut self, wait: Duration, threads: &OwnThreads) -> Option<Done> {
        let parts = self.parts.as_mut()?;
        let running = parts.running.as_mut()?;
        let outcome = run(&parts.runtime, wait, threads, running)?;
        parts.running = None;
        Some(match outcome {
            Outcome::Connected { client, has_senders } => {
                parts.client = Some(Arc::new(client));
                self.has_senders = has_senders;
                Done::Connected
            }
            Outcome::Done(done) => done,
        })
    }

    /// Begins to ask for the number of the last batch that was committed.
    pub(super) fn ask(&mut self, query: String, address: &Address) {
        let (limit, doing) = (self.limit, format!("ask {address} for the last batch"));
        self.start(|client| async move {
            let asked = match timeout(limit, client.simple_query(&query)).await {
                Err(_) => Err(Error::retry(format!("{doing}: no answer within {limit:?}"))),
                Ok(Err(error)) => Err(failed(&doing, &error)),
                Ok(Ok(messages)) => Ok(messages
                    .iter()
                    .find_map(|message| match message {
                        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                        _ => None,
                    })
                    .unwrap_or(0)),
            };
            asked.map_or_else(Done::Failed, Done::Asked)
        });
    }

    /// Begins to send rows in one transaction.
    pub(super) fn copy(&mut self, begin: String, rows: Vec<u8>) {
        let (limit, copy) = (self.limit, self.copy.clone());
        self.start(|client| async move {
            let is_committing = AtomicBool::new(false);
            let send = async {
                client.batch_execute(&begin).await.map_err(Failed::Before)?;
                let copied = async {
                    let mut copy = pin!(client.copy_in(&copy).await?);
                    copy.send(bytes::Bytes::from(rows)).await?;
                    copy.finish().await
                };
                if let Err(error) = copied.await {
                    if !error.code().is_some_and(|code| is_about_a_row(code.code())) {
                        return Err(Failed::Before(error));
                    }
                    return match client.batch_execute("ROLLBACK").await {
                        Ok(()) => Err(Failed::Refused(error)),
                        Err(error) => Err(Failed::Before(error)),
                    };
                }
                is_committing.store(true, Ordering::Relaxed);
                client.batch_execute("COMMIT").await.map_err(of_commit)
            };
            Done::Copied(match timeout(limit, send).await {
                Ok(result) => result,
                Err(_) if is_committing.load(Ordering::Relaxed) => {
                    Err(Failed::Unknown(format!("no answer within {limit:?}")))
                }
                Err(_) => Err(Failed::Late),
            })
        });
    }

    /// Begins to look after the table.
    pub(super) fn keep_up(&mut self, task: Task, address: &Address) {
        let (limit, doing) = (self.limit, format!("ask {address}"));
        self.start(|client| async move { Done::KeptUp(task.run(&client, limit, &doing).await) });
    }

    /// Starts something on a connection that is logged in.
    fn start<F: Future<Output = Done> + Send + 'static>(&mut self, run: impl FnOnce(Arc<Client>) -> F) {
        if let Some(parts) = &mut self.parts
            && let Some(client) = &parts.client
        {
            let done = run(Arc::clone(client));
            parts.running = Some(Box::pin(async move { Outcome::Done(done.await) }));
        }
    }

    /// Returns whether the process has forked since.
    pub(super) fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }

    /// Returns whether the program has closed its descriptors. Then nothing of it may be used.
    pub(super) fn is_lost(&self) -> bool {
        self.mark.is_lost()
    }
}

/// What follows the login.
struct Prepare {
    create: Option<String>,
    has_senders: String,
    enter: String,
    limit: Duration,
}

impl Prepare {
    /// Returns whether batches are counted at the server.
    async fn run(&self, client: &Client) -> Result<bool, tokio_postgres::Error> {
        let limit = self.limit.as_millis();
        client
            .batch_execute(&format!(
                "SET client_min_messages = warning; SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
                 SET idle_in_transaction_session_timeout = {limit}"
            ))
            .await?;
        if let Some(create) = &self.create {
            client.batch_execute(create).await?;
        }
        let found = client.simple_query(&self.has_senders).await?;
        let has_senders = found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_)));
        if has_senders {
            client.batch_execute(&self.enter).await?;
        }
        Ok(has_senders)
    }
}

/// Closes the connection, unless it is another process's. There, not even the runtime may be dropped: it shares its epoll
/// instance, and would remove the parent's socket from it. Nor if the program has closed its descriptors.
impl Drop for Session {
    fn drop(&mut self) {
        let is_foreign = self.is_foreign() || self.is_lost();
        match self.parts.take() {
            Some(parts) if is_foreign => std::mem::forget(parts),
            Some(Parts { running, client, runtime }) => {
                // The futures need the runtime when they are dropped.
                {
                    let _inside = runtime.enter();
                    drop((running, client));
                }
                runtime.shutdown_background();
            }
            None => {}
        }
    }
}

/// Polls a future for a limited time; `None` if that was too short.
fn run(runtime: &Runtime, wait: Duration, threads: &OwnThreads, running: &mut Running) -> Option<Outcome> {
    let limited = async { timeout(wait, running).await.ok() };
    if Handle::try_current().is_err() {
        return runtime.block_on(limited);
    }
    // After the end of the log, a thread of the program writes its own line. One of a runtime cannot run another one.
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            threads.mark_thread();
            runtime.block_on(limited)
        });
        run.join().unwrap_or_default()
    })
}

/// Returns whether a SQLSTATE is about a row: its values, a constraint, a view's check, a limit such as the size of an
/// index's entry, or an exception that a trigger raises. Its author chooses one of PL/pgSQL's codes, `45000`, or one of the
/// classes that the standard leaves free, of which PostgreSQL uses `53` to `58`, `72`, `HV`, `P0` and `XX`.
fn is_about_a_row(code: &str) -> bool {
    match code.get(..2) {
        Some("22" | "23" | "44" | "45" | "54" | "P0") => true,
        Some("72" | "XX") => false,
        Some(class) => class.starts_with(['6', '7', '8', '9']) || matches!(class.as_bytes(), [b'I'..=b'Z', _]),
        None => false,
    }
}

/// Returns how far a batch came whose commit has failed. An error of the server has rolled it back: a constraint that is
/// checked at the end, for example. Only the end of the connection leaves it open.
fn of_commit(error: tokio_postgres::Error) -> Failed {
    use tokio_postgres::error::Severity;
    let Some(server) = error.as_db_error().filter(|server| server.parsed_severity() == Some(Severity::Error)) else {
        return Failed::Unknown(text(&error));
    };
    if is_about_a_row(server.code().code()) { Failed::Refused(error) } else { Failed::Before(error) }
}

fn tls(address: &Address) -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::retry(format!("connect to {address}")).with_source(error))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Returns what an error says. What the server says of a line's data is left out.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} (SQLSTATE {})", server.message(), server.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// Adds to an error what failed.
pub(super) fn failed(doing: &str, error: &tokio_postgres::Error) -> Error {
    let advice = match error.code().map(|code| code.code()) {
        Some("42P01") => "; create the table, or set `create_table`",
        Some("42703") => "; add the column to the table, or set `columns`",
        Some("42P17") if text(error).contains("is not partitioned") => {
            "; rename it, set another name with `table`, or remove `partitioned_by_day`"
        }
        Some("42501") => "; grant the right to this user",
        _ => "",
    };
    Error::retry(format!("{doing}: {}{advice}", text(error)))
}

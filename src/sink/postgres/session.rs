//! One connection to the server, and the runtime that it lives on.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::SinkExt;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Handle, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::table::Table;
use super::upkeep::Answer;
use crate::error::Error;
use crate::sink::OwnThreads;

/// A connection that is logged in.
pub(super) struct Session {
    /// `None` only while it is dropped.
    parts: Option<(Client, Runtime)>,
    limit: Duration,
    /// The process that connected. No other may use or close the connection.
    process: u32,
    copy: String,
    /// Whether batches are counted at the server.
    pub(super) has_senders: bool,
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

/// Why a statement was not executed.
pub(super) enum Trouble {
    /// The server refuses it, and the connection goes on.
    Refused(Error),
    /// The connection cannot be used any more.
    Lost(Error),
}

impl Session {
    /// Connects, logs in, and prepares the table.
    pub(super) fn connect(
        address: &Address,
        password: Option<&str>,
        table: &Table,
        creates: bool,
        sender: &str,
        limit: Duration,
        threads: &OwnThreads,
    ) -> Result<Self, Error> {
        let own = threads.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .on_thread_start(move || own.mark_thread())
            .build()
            .map_err(|error| Error::io(format!("connect to {address}"), error))?;
        let mut config = address.config.clone();
        if let Some(password) = password {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("spanline");
        }
        let tls = if address.uses_tls() { Some(tls(address)?) } else { None };
        let handle = runtime.handle().clone();
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
            let limit = limit.as_millis();
            client
                .batch_execute(&format!(
                    "SET client_min_messages = warning; SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
                     SET idle_in_transaction_session_timeout = {limit}"
                ))
                .await?;
            if creates {
                client.batch_execute(&table.create()).await?;
            }
            let found = client.simple_query(&table.has_senders()).await?;
            let has_senders = found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_)));
            if has_senders {
                client.batch_execute(&table.enter(sender)).await?;
            }
            Ok::<_, tokio_postgres::Error>((client, has_senders))
        };
        let connected = run(&runtime, limit, threads, connect);
        match connected {
            Some(Ok((client, has_senders))) => {
                let process = std::process::id();
                Ok(Self { parts: Some((client, runtime)), limit, process, copy: table.copy(), has_senders })
            }
            Some(Err(error)) => {
                runtime.shutdown_background();
                Err(failed(&format!("connect to {address}"), &error))
            }
            None => {
                runtime.shutdown_background();
                Err(Error::retry(format!("connect to {address}: no answer within {limit:?}")))
            }
        }
    }

    /// Executes statements, as one transaction.
    pub(super) fn execute(&self, sql: &str, address: &Address, threads: &OwnThreads) -> Answer {
        let doing = format!("ask {address}");
        let Some((client, runtime)) = &self.parts else { return Err(Trouble::Lost(Error::retry(doing))) };
        match run(runtime, self.limit, threads, client.simple_query(sql)) {
            None => Err(Trouble::Lost(Error::retry(format!("{doing}: no answer within {:?}", self.limit)))),
            Some(Err(error)) if error.as_db_error().is_some() && !client.is_closed() => {
                Err(Trouble::Refused(failed(&doing, &error)))
            }
            Some(Err(error)) => Err(Trouble::Lost(failed(&doing, &error))),
            Some(Ok(answer)) => Ok(answer),
        }
    }

    /// Returns the number of the last batch that was committed.
    pub(super) fn last_batch(&self, query: &str, address: &Address, threads: &OwnThreads) -> Result<u64, Error> {
        let doing = format!("ask {address} for the last batch");
        let Some((client, runtime)) = &self.parts else { return Err(Error::retry(doing)) };
        match run(runtime, self.limit, threads, client.simple_query(query)) {
            None => Err(Error::retry(format!("{doing}: no answer within {:?}", self.limit))),
            Some(Err(error)) => Err(failed(&doing, &error)),
            Some(Ok(messages)) => Ok(messages
                .iter()
                .find_map(|message| match message {
                    SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                    _ => None,
                })
                .unwrap_or(0)),
        }
    }

    /// Sends rows in one transaction.
    pub(super) fn copy(&self, begin: &str, rows: Vec<u8>, threads: &OwnThreads) -> Result<(), Failed> {
        let Some((client, runtime)) = &self.parts else { return Err(Failed::Late) };
        let is_committing = std::sync::atomic::AtomicBool::new(false);
        let send = async {
            client.batch_execute(begin).await.map_err(Failed::Before)?;
            let copied = async {
                let mut copy = pin!(client.copy_in(&self.copy).await?);
                copy.send(bytes::Bytes::from(rows)).await?;
                copy.finish().await
            };
            if let Err(error) = copied.await {
                let is_refused = error.code().is_some_and(|code| matches!(code.code().get(..2), Some("22" | "23")));
                if !is_refused {
                    return Err(Failed::Before(error));
                }
                return match client.batch_execute("ROLLBACK").await {
                    Ok(()) => Err(Failed::Refused(error)),
                    Err(error) => Err(Failed::Before(error)),
                };
            }
            is_committing.store(true, std::sync::atomic::Ordering::Relaxed);
            client.batch_execute("COMMIT").await.map_err(|error| Failed::Unknown(text(&error)))
        };
        match run(runtime, self.limit, threads, send) {
            Some(result) => result,
            None if is_committing.into_inner() => Err(Failed::Unknown(format!("no answer within {:?}", self.limit))),
            None => Err(Failed::Late),
        }
    }

    /// Returns whether the process has forked since.
    pub(super) fn is_foreign(&self) -> bool {
        self.process != std::process::id()
    }
}

/// Closes the connection, unless it is another process's. There, not even the runtime may be dropped: it shares its epoll
/// instance, and would remove the parent's socket from it.
impl Drop for Session {
    fn drop(&mut self) {
        let is_foreign = self.is_foreign();
        match self.parts.take() {
            Some(parts) if is_foreign => std::mem::forget(parts),
            Some((client, runtime)) => {
                drop(client);
                runtime.shutdown_background();
            }
            None => {}
        }
    }
}

/// Runs a future for a limited time; `None` if that was too short.
fn run<T: Send>(
    runtime: &Runtime,
    limit: Duration,
    threads: &OwnThreads,
    future: impl Future<Output = T> + Send,
) -> Option<T> {
    let limited = async { tokio::time::timeout(limit, future).await.ok() };
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

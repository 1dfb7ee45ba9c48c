//! Where else the lines go: an output for each `--to`.

use spanline::sink::{Http, Otlp, Postgres, Sqlite, Syslog, Tcp, Udp};
use spanline::{Error, Output};

/// What `--to` takes, for its help and its errors.
pub(crate) const FORMS: &str = "  tcp://127.0.0.1:5170                       lines of JSON over TCP
  udp://127.0.0.1:5170                       a datagram for each line
  unix:/run/logs.sock                        lines of JSON over a Unix socket
  syslog://127.0.0.1:601                     RFC 5424 over TCP
  syslog+udp://127.0.0.1:514                 RFC 5424 over UDP
  http://127.0.0.1:8080/logs                 lines of JSON in requests; also https://
  otlp://127.0.0.1:4318                      OpenTelemetry, in protobuf over HTTP; also otlp+https://
  loki://127.0.0.1:3100                      Loki; also loki+https://
  elastic://127.0.0.1:9200/logs-orders-dev   Elasticsearch, with the data stream; also elastic+https://
  clickhouse://127.0.0.1:8123/logs.orders    ClickHouse over HTTP, with the table; also clickhouse+https://
  sqlite:logs/orders.db                      an SQLite database, which is created
  postgres://user@127.0.0.1:5432/database    PostgreSQL, whose table `log` is created
  journald:                                  systemd's journal (Linux)
";

/// Returns the output that a URL stands for.
///
/// # Errors
/// It has another form. The error does not show it: it may have a password.
pub(crate) fn output(url: &str) -> Result<Output, Error> {
    let Some((scheme, rest)) = url.split_once(':') else { return Err(wrong("", "has no scheme")) };
    let address = rest.strip_prefix("//").filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let address = || address.ok_or_else(|| wrong(scheme, "names no host"));
    // A database, a stream or a table is the path of the URL.
    let with_name = |what: &str| {
        let (host, name) = address()?.split_once('/').unwrap_or_default();
        if host.is_empty() || name.is_empty() {
            return Err(wrong(scheme, &format!("names no {what}")));
        }
        Ok((host, name))
    };
    let path = || match rest.strip_prefix("//").unwrap_or(rest) {
        "" => Err(wrong(scheme, "names no file")),
        path => Ok(path),
    };
    let protocol = if scheme.ends_with("+https") { "https" } else { "http" };
    let output = match scheme {
        "tcp" => Output::new(Tcp::new(host_and_port(scheme, address()?)?)),
        "udp" => Output::new(Udp::new(host_and_port(scheme, address()?)?)),
        #[cfg(unix)]
        "unix" => Output::new(spanline::sink::Unix::stream(path()?)),
        "syslog" => Output::new(Syslog::tcp(address()?).app_name("orders")),
        "syslog+udp" => Output::new(Syslog::udp(address()?).app_name("orders")),
        "http" | "https" => Output::new(Http::new(url)),
        "otlp" | "otlp+https" => Output::new(Otlp::new(format!("{protocol}://{}", address()?))),
        "loki" | "loki+https" => Output::new(Http::loki(format!("{protocol}://{}", address()?), [("app", "orders")])),
        "elastic" | "elastic+https" => {
            let (host, stream) = with_name("data stream")?;
            Output::new(Http::elastic(format!("{protocol}://{host}"), stream))
        }
        "clickhouse" | "clickhouse+https" => {
            let (host, table) = with_name("table")?;
            Output::new(Http::clickhouse(format!("{protocol}://{host}"), table))
        }
        "sqlite" => Output::new(Sqlite::new(path()?)),
        "postgres" | "postgresql" => Output::new(Postgres::new(url).create_table()),
        #[cfg(target_os = "linux")]
        "journald" if rest.is_empty() => Output::new(spanline::sink::Journald::new()),
        _ => return Err(wrong(scheme, "has an unknown scheme or another form")),
    };
    Ok(output)
}

/// Checks what `Tcp` and `Udp` cannot guess.
fn host_and_port<'a>(scheme: &str, address: &'a str) -> Result<&'a str, Error> {
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() { Err(wrong(scheme, "names no port")) } else { Ok(address) }
}

/// Returns an error that shows the forms of this scheme, or all forms for an unknown one, which may be a password.
fn wrong(scheme: &str, why: &str) -> Error {
    let is_of = |form: &&str| form.trim_start().split(':').next() == Some(scheme);
    let mut forms: Vec<_> = FORMS.lines().filter(is_of).collect();
    if forms.is_empty() {
        forms = FORMS.lines().collect();
    }
    Error::invalid(format!("the URL of --to {why}; expected:\n{}", forms.join("\n")))
}

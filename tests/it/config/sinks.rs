//! Sinks that a file names deliver lines as those in code do.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use spanline::Builder;
use tracing::subscriber::with_default;
use tracing::{error, info, warn};
use tracing_subscriber::prelude::*;

fn run(text: &str, log: impl FnOnce()) {
    let (layer, guard) = Builder::from_toml(text).build().unwrap_or_else(|error| panic!("{text}\n{error:#}"));
    with_default(tracing_subscriber::registry().with(layer), log);
    guard.close().unwrap();
}

#[test]
fn a_file_rotates_and_keeps_what_the_text_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let text = format!(
        "[output.a]\nsink = {{ file = '{}', rotate_bytes = '1 KiB', keep_files = 2, numbered = true, file_mode = '640' }}\n\
         schema = {{ template = '{{level}} {{message}}', utc = true }}\nfilter = 'warn'\noverflow = {{ block = '10 s' }}\n\
         durability = 'every_batch'\nqueue_bytes = '64 KiB'",
        path.display()
    );
    run(&text, || {
        info!("hidden");
        (0..200).for_each(|_| warn!("a line of a log that rotates"));
    });
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("app.log"));
    names.sort();
    assert_eq!(names, ["app.log", "app.log.1", "app.log.2"]);
    let lines = fs::read_to_string(folder.path().join("app.log.1")).unwrap();
    assert!(lines.lines().all(|line| line == "WARN a line of a log that rotates"), "{lines}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[test]
fn a_route_has_a_file_for_each_value_with_the_same_settings() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "output.a.sink = {{ route = 'tenant', path = '{}/{{value}}.log', rotate_bytes = '1 KiB', numbered = true, keep_files = 9 }}",
        folder.path().display()
    );
    run(&text, || {
        for tenant in ["a", "b"] {
            (0..30).for_each(|_| info!(tenant, "routed"));
        }
    });
    for name in ["a.log", "a.log.1", "b.log", "b.log.1"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn lines_reach_a_tcp_server_through_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "output.a.sink = {{ spool = '{}', max_bytes = '1 MiB', sink = {{ tcp = '{}', timeout = '30 s' }} }}",
        folder.path().display(),
        server.local_addr().unwrap()
    );
    let reader = std::thread::spawn(move || {
        let (stream, _) = server.accept().unwrap();
        BufReader::new(stream).lines().map(Result::unwrap).collect::<Vec<_>>()
    });
    run(&text, || info!("over the net"));
    let lines = reader.join().unwrap();
    assert!(lines.len() == 1 && lines[0].contains("over the net"), "{lines:?}");
}

#[test]
fn a_fallback_takes_lines_of_its_level_while_the_first_sink_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("second.log");
    // A port that was free a moment ago refuses connections.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "output.a.sink = {{ fallback = {{ file = '{}' }}, sink = {{ tcp = '{address}' }}, second_level = 'error' }}",
        path.display()
    );
    run(&text, || {
        info!("left out");
        error!("kept");
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("kept") && !text.contains("left out"), "{text}");
}

#[cfg(feature = "sqlite")]
#[test]
fn a_database_gets_the_columns_that_the_text_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let text = format!(
        "output.a.sink = {{ sqlite = '{}', table = 'orders', columns = ['level', 'message', 'field:user'] }}",
        path.display()
    );
    run(&text, || info!(user = "ada", "stored"));
    // The database, and the log in front of it.
    let files = fs::read_dir(folder.path()).unwrap();
    let bytes: Vec<u8> = files.flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(has(b"stored") && has(b"ada"));
}

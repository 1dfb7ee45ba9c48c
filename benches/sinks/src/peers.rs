//! The peers, each set up as its documentation says.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::Log;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, WithExportConfig};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use tracing_subscriber::prelude::*;

use crate::Figures;
use crate::servers::Server;

/// `tracing-loki`. It drops what its channel of 512 events has no room for.
pub fn loki(time: Duration) -> Figures {
    let server = Server::http();
    let url = url::Url::parse(&format!("http://{}", server.address)).expect("a URL");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let builder = tracing_loki::builder().label("env", "prod").expect("a label");
    let (layer, controller, task) = builder.build_controller_url(url).expect("a layer");
    let task = runtime.spawn(task);
    let begun = Instant::now();
    let logged = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || crate::log_for(time));
    runtime.block_on(async {
        controller.shutdown().await;
        let _ = task.await;
    });
    let seconds = begun.elapsed().as_secs_f64();
    Figures { logged, arrived: server.arrived.lines.load(Ordering::Relaxed), seconds }
}

/// OpenTelemetry's logs over HTTP. `in_batches`: from a thread, whose queue drops what it has no room for. Otherwise each
/// line is a request of the calling thread, and none is lost.
pub fn otlp(time: Duration, in_batches: bool) -> Figures {
    let server = Server::http();
    let exporter = LogExporter::builder()
        .with_http()
        .with_endpoint(format!("http://{}/v1/logs", server.address))
        .build()
        .expect("an exporter");
    let provider = SdkLoggerProvider::builder();
    let provider = if in_batches {
        provider.with_batch_exporter(exporter).build()
    } else {
        provider.with_simple_exporter(exporter).build()
    };
    let layer = OpenTelemetryTracingBridge::new(&provider);
    let begun = Instant::now();
    let logged = tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || crate::log_for(time));
    provider.shutdown().expect("a server that answers");
    let seconds = begun.elapsed().as_secs_f64();
    Figures { logged, arrived: server.arrived.lines.load(Ordering::Relaxed), seconds }
}

/// The logger of the crate `syslog` over TCP, which sends on the calling thread. Its lines have only the text.
pub fn syslog(time: Duration) -> Figures {
    let server = Server::stream();
    let formatter = syslog::Formatter3164 {
        facility: syslog::Facility::LOG_USER,
        hostname: None,
        process: "bench".into(),
        pid: 42,
    };
    log::set_max_level(log::LevelFilter::Info);
    let logger = syslog::BasicLogger::new(syslog::tcp(formatter, server.address).expect("a connection"));
    let begun = Instant::now();
    let (end, mut logged) = (begun + time, 0_u64);
    while Instant::now() < end {
        for _ in 0..256 {
            let record = log::Record::builder();
            let arguments = format_args!("order loaded order={logged} customer=ada@example.com amount=12.5");
            logger.log(&{ record }.level(log::Level::Info).target("bench").args(arguments).build());
            logged += 1;
        }
    }
    logger.flush();
    drop(logger);
    let seconds = begun.elapsed().as_secs_f64();
    let mut arrived = 0;
    // The server may still be reading.
    loop {
        std::thread::park_timeout(Duration::from_millis(200));
        let now = server.arrived.lines.load(Ordering::Relaxed);
        if now == arrived {
            return Figures { logged, arrived, seconds };
        }
        arrived = now;
    }
}

//! `spanline index`: stores what lets later searches skip parts of logs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::counted::counted;
use crate::escape::{escaped, escaped_json};
use crate::index::Store;
use crate::indexing::{Rules, index};
use crate::inputs::segments;
use crate::report::{EXIT_STATUS, Report};

/// Index logs, so that `find` and `trace` skip the parts that cannot match
///
/// Reads all lines once, and stores for each part of a file the times of its lines and the ids of traces, requests and spans.
/// Later, `find` with --since, --until, --trace, --request, or such conditions in --where, and `trace` read only the parts
/// that can have a matching line. Answers are the same with an index and without.
///
/// Indexes are in `$XDG_CACHE_HOME/spanline` or `~/.cache/spanline`, and take at most 256 MiB: the oldest are removed first. A
/// file that is indexed and has not changed is not read again. Each search reads what was added to a file since. Sealed files,
/// and those below 64 KiB, get no index.
#[derive(clap::Args)]
#[command(after_help = EXIT_STATUS)]
pub(crate) struct Args {
    /// A log, such as `logs/orders.log`, one file of it, a directory with logs in it, or a pattern such as `'logs/*.log'`
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Whether indexes are used.
#[derive(clap::Args)]
pub(super) struct IndexArgs {
    /// Read the logs without the indexes of `spanline index`
    #[arg(long)]
    no_index: bool,
}

impl IndexArgs {
    /// Returns where indexes are, if they are used.
    pub(super) fn store(&self) -> Option<Arc<Store>> {
        if self.no_index { None } else { Store::open().map(Arc::new) }
    }
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    if args.paths.iter().any(|path| path == Path::new("-")) {
        report.usage::<()>(Err("stdin has no index; pass the paths of logs".to_owned()));
        return Ok(());
    }
    let store = match Store::create() {
        Ok(store) => store,
        Err((path, error)) => {
            report.failure(&format!("open the directory of indexes {}: {error}", escaped(&path)));
            return Ok(());
        }
    };
    let indexed = index(segments(&args.paths, report), &store, Rules::default(), report);
    let bytes = store.prune().unwrap_or_else(|error| {
        report.failure(&format!("list the indexes in {}: {error}", escaped(store.path())));
        0
    });
    if args.json {
        let all = json!({
            "indexed": indexed.files,
            "unchanged": indexed.unchanged,
            "left_out": indexed.left_out,
            "bytes": bytes,
            "directory": store.path().to_string_lossy(),
        });
        return writeln!(output, "{}", escaped_json(&all.to_string()));
    }
    let files = counted(indexed.files, "file", "files");
    let (unchanged, left_out) = (indexed.unchanged, indexed.left_out);
    let directory = escaped(store.path());
    writeln!(
        output,
        "{files} indexed, {unchanged} unchanged, {left_out} left out; all indexes take {bytes} bytes in {directory}"
    )
}

//! The call sites of the log itself: of notices, of panics, and all others in this crate's source.

use tracing::callsite::{Callsite, Identifier};
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

/// The target of the spans and lines of HTTP requests.
pub(crate) const REQUESTS: &str = "spanline::http";

/// The field of these spans and lines that has what the hooks add.
pub(crate) const ADDED: &str = "added";

/// The fields of these spans that only tracing-opentelemetry reads.
pub(crate) const OTEL_FIELDS: [&str; 2] = ["otel.kind", "otel.name"];

/// The target of records of other programs that name none.
pub(crate) const DEFAULT_TARGET: &str = "relayed";

/// The field of such a record that has its service.
pub(crate) const SERVICE: &str = "log.service";

/// The prefix for a field whose name is taken by a record of the `log` crate itself, such as `log.target` or `message`.
pub(crate) const TAKEN_PREFIX: &str = "kv.";

/// The target of panics.
pub(crate) const PANICS: &str = "panic";

static NOTICE: OwnSite = OwnSite(notice_metadata);
static NOTICE_METADATA: Metadata<'static> = metadata("notice", "spanline", Level::WARN, &NOTICE);

static CONTROL: OwnSite = OwnSite(control_metadata);
static CONTROL_METADATA: Metadata<'static> = metadata("control", "spanline::control", Level::INFO, &CONTROL);

static PANIC: OwnSite = OwnSite(panic_metadata);
static PANIC_METADATA: Metadata<'static> = metadata("panic", PANICS, Level::ERROR, &PANIC);

static RELAYED: OwnSite = OwnSite(|| &RELAYED_METADATA[2]);
static RELAYED_METADATA: [Metadata<'static>; 5] = [
    metadata("relayed", DEFAULT_TARGET, Level::ERROR, &RELAYED),
    metadata("relayed", DEFAULT_TARGET, Level::WARN, &RELAYED),
    metadata("relayed", DEFAULT_TARGET, Level::INFO, &RELAYED),
    metadata("relayed", DEFAULT_TARGET, Level::DEBUG, &RELAYED),
    metadata("relayed", DEFAULT_TARGET, Level::TRACE, &RELAYED),
];

/// Returns the call site of all records of a level that other programs made. Such a record has what differs among its
/// fields, like a record of the `log` crate, and also its service.
pub(crate) fn relayed_metadata(level: Level) -> &'static Metadata<'static> {
    match level {
        Level::ERROR => &RELAYED_METADATA[0],
        Level::WARN => &RELAYED_METADATA[1],
        Level::INFO => &RELAYED_METADATA[2],
        Level::DEBUG => &RELAYED_METADATA[3],
        Level::TRACE => &RELAYED_METADATA[4],
    }
}

/// Returns whether a call site is that of records of other programs.
pub(crate) fn is_relayed(meta: &Metadata<'_>) -> bool {
    meta.callsite() == Identifier(&RELAYED)
}

/// Returns the call site of lines that the log writes about itself: a WARN with target `spanline`.
pub(crate) fn notice_metadata() -> &'static Metadata<'static> {
    &NOTICE_METADATA
}

/// Returns the call site of changes that control makes: an INFO with target `spanline::control`.
pub(crate) fn control_metadata() -> &'static Metadata<'static> {
    &CONTROL_METADATA
}

/// Returns whether a call site is that of changes that control makes. No filter refuses them.
pub(crate) fn is_control(meta: &Metadata<'_>) -> bool {
    meta.callsite() == Identifier(&CONTROL)
}

/// Returns the call site of all panics: an ERROR with target `panic`.
pub(crate) fn panic_metadata() -> &'static Metadata<'static> {
    &PANIC_METADATA
}

/// Returns whether a call site is in this crate's source. A target can be chosen; a module path cannot.
pub(crate) fn is_own(meta: &Metadata<'_>) -> bool {
    let below = meta.module_path().and_then(|path| path.strip_prefix("spanline"));
    below.is_some_and(|below| below.is_empty() || below.starts_with("::"))
}

/// A call site that no macro makes, by its metadata.
struct OwnSite(fn() -> &'static Metadata<'static>);

impl Callsite for OwnSite {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        (self.0)()
    }
}

/// Returns metadata of events without declared fields and without a place in the source.
const fn metadata(name: &'static str, target: &'static str, level: Level, site: &'static OwnSite) -> Metadata<'static> {
    Metadata::new(name, target, level, None, None, None, FieldSet::new(&[], Identifier(site)), Kind::EVENT)
}

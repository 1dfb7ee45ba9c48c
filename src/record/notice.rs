//! The call site of the lines that the log writes about itself.

use tracing::callsite::Callsite;
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

struct Notice;

static NOTICE: Notice = Notice;

static METADATA: Metadata<'static> = Metadata::new(
    "notice",
    "spanline",
    Level::WARN,
    None,
    None,
    None,
    FieldSet::new(&[], tracing::callsite::Identifier(&NOTICE)),
    Kind::EVENT,
);

impl Callsite for Notice {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

/// Returns the call site: a WARN with target `spanline` and no declared fields.
pub(crate) fn notice_metadata() -> &'static Metadata<'static> {
    &METADATA
}

//! The call site of the log's lines about itself.

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

/// A WARN of the target `spanline`; its fields all come with their names.
pub(crate) fn notice_metadata() -> &'static Metadata<'static> {
    &METADATA
}

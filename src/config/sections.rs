//! All sections, for what is made from their descriptions: the JSON Schema and the page.

use super::schemas::SCHEMAS;
use super::{limits, log, outputs, schema_options, schemas, sinks};
use crate::builder::builder;
use crate::redact::Redact;
use crate::settings::{Place, Row, Section, Table, Walk};

/// A section, and its keys.
#[derive(Debug)]
pub(super) struct Described {
    /// Its name, by which kinds refer to it.
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// Returns all sections, in the order of the page.
pub(super) fn all() -> Vec<Described> {
    let mut all = vec![
        described("", |section| {
            let _ = log::log(section, builder());
        }),
        described("output", |section| {
            outputs::output("", None, section);
        }),
        described("overflow", outputs::describe_overflow),
        described("durability", outputs::describe_durability),
        described("edits", |section| {
            let _ = schemas::edits(section);
        }),
    ];
    for kind in sinks::all() {
        if let Some(open) = kind.open {
            all.push(described(&format!("sink {}", kind.name), |section| {
                open(section);
            }));
        }
    }
    for (name, section, make) in SCHEMAS {
        if section == format!("schema {name}") {
            all.push(described(section, |section| {
                make(section);
            }));
        }
    }
    all.push(described("schema template", |section| {
        schemas::template(section);
    }));
    all.push(described("palette", |section| {
        let _ = schema_options::palette(section);
    }));
    #[cfg(feature = "tls")]
    all.push(described("tls", |section| {
        super::net::tls(section);
    }));
    #[cfg(feature = "http")]
    all.extend([
        described("http template", |section| {
            super::http::template(section);
        }),
        described("basic", |section| {
            super::http::user_and_password(section);
        }),
        described("batch", |section| {
            super::http::batch(section);
        }),
    ]);
    #[cfg(any(feature = "http", feature = "tls"))]
    all.push(described("client_certificate", |section| {
        super::net::pair(section);
    }));
    all.extend([
        described("rate_limit", |section| {
            limits::rate_limit(section);
        }),
        described("sampling", |section| {
            limits::sampling(section);
        }),
        described("redact", |section| {
            let _ = limits::redact(section, Redact::new());
        }),
        #[cfg(feature = "sealed")]
        described("seal_fields", |section| {
            let _ = limits::seal_fields(section, Default::default());
        }),
        described("flight_recorder", |section| {
            let _ = limits::flight_recorder(section);
        }),
        described("shutdown", |section| {
            limits::shutdown(section, Default::default());
        }),
    ]);
    all
}

fn described(name: &str, read: impl FnOnce(&mut Section<'_>)) -> Described {
    let mut walk = Walk::description();
    let table = Table::default();
    read(&mut Section::new(&table, Place::default(), "", &mut walk));
    Described { name: name.to_owned(), rows: walk.rows }
}

//! Guides: pages that are longer than a doc comment. This module has no code.
//!
//! [`index`] is the table of contents, by question. Start with [`getting_started`], or with the short answers in [`faq`].

// A page is a file in `docs/`, a line in `pages!` below, and a line in `docs_links.md`. The pages link each other as
// `[outputs][outputs]`. On docs.rs the definitions in `docs_links.md` come first and win; elsewhere those at a page's end do.
// A failing example is reported as one of `docs_links.md`, with that file's lines before the page's.

macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {
        $(
            #[doc = include_str!("docs_links.md")]
            #[doc = include_str!(concat!("../docs/", $file))]
            pub mod $name {}
        )*
    };
}

pages! {
    collect = "collect.md";
    comparison = "comparison.md";
    configuration = "configuration.md";
    configuration_in_code = "configuration-in-code.md";
    context = "context.md";
    control = "control.md";
    databases = "databases.md";
    failures = "failures.md";
    faq = "faq.md";
    features = "features.md";
    filters = "filters.md";
    frameworks = "frameworks.md";
    getting_started = "getting-started.md";
    http_sinks = "http-sinks.md";
    index = "index.md";
    lines = "lines.md";
    loss = "loss.md";
    migration = "migration.md";
    monitoring = "monitoring.md";
    outputs = "outputs.md";
    performance = "performance.md";
    promises = "promises.md";
    recipes = "recipes.md";
    schemas = "schemas.md";
    sealed = "sealed.md";
    sealed_format = "sealed-format.md";
    secrets = "secrets.md";
    security = "security.md";
    sinks = "sinks.md";
    spool = "spool.md";
    testing = "testing.md";
    tool = "tool.md";
    when_things_go_wrong = "when-things-go-wrong.md";
    your_own_sink = "your-own-sink.md";
}

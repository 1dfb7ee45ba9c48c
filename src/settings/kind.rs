//! What kinds of values there are: for errors, the JSON Schema and the page on configuration.

/// The description of a key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As the page shows it. Empty for a key that has to be set.
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
}

/// What a key's value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text,
    Path,
    Bytes,
    Duration,
    /// A whole number that is not negative.
    Count,
    /// A whole number.
    Integer,
    Bool,
    Level,
    Filter,
    #[cfg_attr(
        not(any(feature = "http", feature = "postgres")),
        allow(dead_code, reason = "only servers want secrets")
    )]
    Secret,
    /// One of these words.
    Word(Vec<&'static str>),
    /// A text in a form that the description gives, and an example.
    Form(&'static str),
    Texts,
    /// Names, each with a text.
    TextMap,
    /// Names, each with a value of any type.
    ValueMap,
    /// Names, each with a secret.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only requests have them"))]
    SecretMap,
    /// A table of the section with this name.
    Section(&'static str),
    /// A list of such tables.
    Sections(&'static str),
    /// Names, each with such a table.
    Named(&'static str),
    OneOf(Vec<Kind>),
}

impl Key {
    pub(crate) fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, kind, default, doc }
    }

    /// A key that has to be set.
    pub(crate) fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self::new(name, kind, "", doc)
    }
}

impl Kind {
    /// Returns what was expected, for an error and the page.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Bytes => "a size, such as `\"100 MiB\"`".to_owned(),
            Self::Duration => "a duration, such as `\"100 ms\"`".to_owned(),
            Self::Count => "a whole number, 0 or more".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Level => "a level".to_owned(),
            Self::Filter => "a filter, such as `\"info,orders=debug\"`".to_owned(),
            Self::Secret => "`{ env = \"NAME\" }` or `{ file = \"path\" }`".to_owned(),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                words.join(" or ")
            }
            Self::Form(example) => format!("a text, such as `\"{example}\"`"),
            Self::Texts => "a list of texts".to_owned(),
            Self::TextMap => "a table of texts".to_owned(),
            Self::ValueMap => "a table of values".to_owned(),
            Self::SecretMap => "a table of secrets".to_owned(),
            Self::Section(_) => "a table".to_owned(),
            Self::Sections(_) => "a list of tables".to_owned(),
            Self::Named(_) => "a table of tables".to_owned(),
            Self::OneOf(kinds) => kinds.iter().map(Self::expected).collect::<Vec<_>>().join(", or "),
        }
    }
}

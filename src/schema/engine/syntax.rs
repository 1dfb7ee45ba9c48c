//! How the members of a line look: what separates them, their keys, and the forms of their values.

use std::borrow::Cow;

use crate::record::Value;
use crate::schema::json::{self, Form};

/// How the members of a line look: a separator, the name, what joins name and value, the value.
#[derive(Clone)]
pub(in crate::schema) struct Syntax {
    pub(in crate::schema) before: Cow<'static, str>,
    /// Appends the name of a member.
    pub(in crate::schema) name: fn(&str, &mut Vec<u8>),
    pub(in crate::schema) between: Cow<'static, str>,
    /// How values are written.
    pub(in crate::schema) form: Form,
}

impl Syntax {
    /// Members of a JSON object.
    pub(in crate::schema) const JSON: Self = Self {
        before: Cow::Borrowed(","),
        name: |name, out| json::put_str(out, name),
        between: Cow::Borrowed(":"),
        form: Form::Json,
    };

    /// Values behind a text, without names.
    pub(in crate::schema) fn unnamed(before: impl Into<Cow<'static, str>>, form: Form) -> Self {
        Self { before: before.into(), name: |_, _| {}, between: Cow::Borrowed(""), form }
    }

    /// Appends what precedes a value.
    pub(in crate::schema) fn put_key(&self, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.as_bytes());
        (self.name)(name, out);
        out.extend_from_slice(self.between.as_bytes());
    }
}

/// The spelling of a group's fields.
#[derive(Clone)]
pub(in crate::schema) struct Spelling {
    pub(in crate::schema) syntax: Syntax,
    key: KeyOf,
}

/// Makes the keys of names.
#[derive(Clone)]
enum KeyOf {
    By(fn(&str) -> Cow<'_, str>),
    Prefix(Cow<'static, str>),
}

impl Spelling {
    /// Names as they are, values as JSON.
    pub(in crate::schema) const JSON: Self = Self::with(Syntax::JSON);

    /// Names as they are.
    pub(in crate::schema) const fn with(syntax: Syntax) -> Self {
        Self::by(syntax, |name| Cow::Borrowed(name))
    }

    /// Names as `key` makes them, borrowed if it is the name itself.
    pub(in crate::schema) const fn by(syntax: Syntax, key: fn(&str) -> Cow<'_, str>) -> Self {
        Self { syntax, key: KeyOf::By(key) }
    }

    /// Names behind a prefix.
    pub(in crate::schema) fn prefixed(syntax: Syntax, prefix: impl Into<Cow<'static, str>>) -> Self {
        Self { syntax, key: KeyOf::Prefix(prefix.into()) }
    }

    /// Returns the key of a field's name; borrowed if it is the name itself.
    pub(in crate::schema) fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match &self.key {
            KeyOf::By(key) => key(name),
            KeyOf::Prefix(prefix) => Cow::Owned(format!("{prefix}{name}")),
        }
    }

    /// Members of a JSON object, with values in a form.
    pub(in crate::schema) fn json(form: Form, key: fn(&str) -> Cow<'_, str>) -> Self {
        Self::by(Syntax { form, ..Syntax::JSON }, key)
    }
}

/// The key of a member.
#[derive(Clone)]
pub(super) struct MemberKey {
    pub(super) name: String,
    /// Whether it has no name: the value has whole members, or those of a list. No edit changes it.
    pub(super) is_none: bool,
    /// What precedes the value.
    pub(super) bytes: Vec<u8>,
    syntax: Syntax,
}

impl MemberKey {
    pub(super) fn new(name: &str, syntax: &Syntax) -> Self {
        let mut bytes = Vec::new();
        syntax.put_key(name, &mut bytes);
        Self {
            name: name.to_owned(),
            is_none: name.is_empty() && syntax.between.is_empty(),
            bytes,
            syntax: syntax.clone(),
        }
    }

    /// Returns the key of whole members.
    pub(super) fn none(syntax: &Syntax) -> Self {
        Self { name: String::new(), is_none: true, bytes: Vec::new(), syntax: syntax.clone() }
    }

    /// Returns the key under another name.
    pub(super) fn renamed(&self, name: &str) -> Self {
        Self::new(name, &self.syntax)
    }
}

/// What is around the members of an object or a list.
#[derive(Clone, Copy)]
pub(in crate::schema) struct Brackets {
    /// What takes the place of the first separator, if anything does.
    pub(in crate::schema) open: Option<u8>,
    pub(in crate::schema) close: &'static [u8],
}

impl Brackets {
    pub(in crate::schema) const OBJECT: Self = Self { open: Some(b'{'), close: b"}" };
    /// Nothing is around them.
    pub(in crate::schema) const NONE: Self = Self { open: None, close: b"" };
}

/// Appends a text as JSON; returns true.
pub(in crate::schema) fn put_text(out: &mut Vec<u8>, text: &str) -> bool {
    json::put_str(out, text);
    true
}

/// Returns whether a value is a text.
pub(in crate::schema) fn is_text(value: &Value<'_>) -> bool {
    value.as_str().is_some()
}

/// Returns whether a value is an integer.
pub(in crate::schema) fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::U64(_) | Value::I64(_))
}

/// The form of readers that take any JSON.
pub(in crate::schema) const AS_JSON: Form = Form::Json;

/// The form of readers that take nothing but text.
pub(in crate::schema) const AS_TEXT: Form = Form::Text;

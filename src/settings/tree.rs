//! Values with their places.

use std::borrow::Cow;

/// Where a value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// In bytes, from the beginning of the text.
    pub(crate) offset: usize,
    /// It comes from the overlay of the environment.
    pub(crate) is_overlay: bool,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

/// A value of a TOML or JSON text.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(Table),
}

/// Members in the order of the text. Each name occurs once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(pub(crate) Vec<Member>);

/// A name with its value.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Place {
    pub(crate) fn at(offset: usize) -> Self {
        Self { offset, is_overlay: false }
    }
}

impl Table {
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.0.iter().find(|member| member.name == name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.member(name).map(|member| &member.node)
    }

    /// Returns whether both have the same members, in any order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let has = |member: &Member| other.get(&member.name).is_some_and(|node| node.is_same(&member.node));
        self.0.len() == other.0.len() && self.0.iter().all(has)
    }

    /// Takes a member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.0.iter().position(|member| member.name == name)?;
        Some(self.0.remove(at).node)
    }
}

impl Node {
    /// Returns whether both have the same value, wherever they stand.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::Integer(one), Value::Integer(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::List(one), Value::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_same(other))
            }
            (Value::Table(one), Value::Table(other)) => one.is_same(other),
            _ => false,
        }
    }

    /// Returns what kind of value it is, for an error.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) => "a number",
            Value::Float(_) => "a number with a fraction",
            Value::Bool(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as one line of TOML.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match &self.value {
            Value::Text(text) => Cow::Owned(format!("\"{}\"", escaped(text))),
            Value::Integer(number) => Cow::Owned(number.to_string()),
            Value::Float(number) => Cow::Owned(number.to_string()),
            Value::Bool(on) => Cow::Borrowed(if *on { "true" } else { "false" }),
            Value::List(nodes) => {
                let nodes: Vec<_> = nodes.iter().map(Node::shown).collect();
                Cow::Owned(format!("[{}]", nodes.join(", ")))
            }
            Value::Table(Table(members)) => {
                let shown = |member: &Member| format!("{} = {}", key(&member.name), member.node.shown());
                Cow::Owned(format!("{{ {} }}", members.iter().map(shown).collect::<Vec<_>>().join(", ")))
            }
        }
    }

    /// Marks it, and all in it, as part of an overlay.
    pub(crate) fn mark_overlay(&mut self) {
        self.place.is_overlay = true;
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(Self::mark_overlay),
            Value::Table(Table(members)) => members.iter_mut().for_each(|member| {
                member.place.is_overlay = true;
                member.node.mark_overlay();
            }),
            _ => {}
        }
    }
}

/// Returns a name as TOML spells it: in quotes where it needs them.
pub(crate) fn key(name: &str) -> Cow<'_, str> {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", escaped(name)))
    }
}

/// Returns a text without line breaks and control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\'' => out.push(char),
            _ => out.extend(char.escape_debug()),
        }
    }
    out
}

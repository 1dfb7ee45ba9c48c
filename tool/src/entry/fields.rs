//! The fields of an entry: all that the view does not name.

use std::borrow::Cow;
use std::collections::HashMap;

use super::member::{is_same, json_key};
use super::value::{Value, lossy};
use super::view::{Entry, Part, Place, View};
use crate::loggers::Dialect;

/// A field, under the name that its program gave it.
#[derive(Debug)]
pub(crate) struct Field<'e> {
    pub(crate) name: Cow<'e, str>,
    pub(crate) value: Value<'e>,
}

/// The name of the field that a member is, if it is one.
#[derive(Debug)]
pub(super) struct Name {
    text: Box<str>,
    /// Whether the view may have something under this name.
    is_of_view: bool,
    /// Whether values decide if it is a field.
    may_be_redundant: bool,
}

/// Returns the names of fields that members are. `None` if a member has several, or two may have the same.
pub(super) fn names<'k>(dialect: &Dialect, keys: impl Iterator<Item = &'k [u8]>) -> Option<Box<[Name]>> {
    let mut names: Vec<Name> = Vec::new();
    for key in keys {
        let is = |name: &str| name.as_bytes() == key;
        if dialect.objects.iter().any(|object| is(object.key)) {
            return None;
        }
        let text = name_of(dialect, lossy(key)).into_owned().into_boxed_str();
        // It would have to be compared with those that get this prefix.
        if text.starts_with(PREFIX) || names.iter().any(|name| name.text == text) {
            return None;
        }
        let may_be_redundant =
            dialect.repeats_service.iter().any(|name| is(name)) || dialect.constants.iter().any(|(name, _)| is(name));
        names.push(Name { is_of_view: View::may_have_named(&text), text, may_be_redundant });
    }
    Some(names.into_boxed_slice())
}

/// Returns the name of the field that a member is.
fn name_of<'k>(dialect: &Dialect, key: Cow<'k, str>) -> Cow<'k, str> {
    if dialect.keys.span.iter().any(|span| is_same(span.as_bytes(), key.as_bytes())) {
        return Cow::Borrowed("span_id");
    }
    match key.strip_prefix(dialect.prefix).filter(|name| !name.is_empty() && name.len() < key.len()) {
        Some(name) => Cow::Owned(name.to_owned()),
        None => key,
    }
}

/// Stands before the name of a field that the view has, too.
const PREFIX: &str = "fields.";

impl<'e> Entry<'e> {
    /// Returns the fields in the order of the line, each name once: the last of equal ones wins. A field with a name of the
    /// view is called `fields.` and its name.
    pub(crate) fn fields(&self, view: &View<'_>) -> Vec<Field<'e>> {
        if let Some(names) = self.members.names() {
            return self.named_fields(names, view);
        }
        let mut fields = Unique::new(self.members.count());
        for number in 0..self.members.count() {
            let Some(value) = self.members.value(number, self.line) else { continue };
            let key = match self.members.key(number, self.line) {
                key if view.used().any(|used| *used == (number, "")) || self.is_redundant(key, value, view) => continue,
                key => lossy(key),
            };
            let object = self.dialect.objects.iter().find(|object| is_same(object.key.as_bytes(), key.as_bytes()));
            // An empty one would vanish.
            let Some(object) = object.filter(|_| value.members().next().is_some()) else {
                fields.put(view, name_of(self.dialect, key), value);
                continue;
            };
            for (inner, value) in value.members() {
                let is_used = |(of, key): &Place| *of == number && !key.is_empty() && json_key(inner) == *key;
                if !view.used().any(is_used) {
                    let inner = json_key(inner);
                    let name = if object.is_named { format!("{}.{inner}", object.key).into() } else { inner };
                    fields.put(view, name, value);
                }
            }
        }
        fields.all
    }

    /// Returns the fields of a line whose layout has their names.
    fn named_fields(&self, names: &'e [Name], view: &View<'_>) -> Vec<Field<'e>> {
        let used: Vec<_> = view.used().filter(|(_, inner)| inner.is_empty()).map(|(number, _)| *number).collect();
        let field = |(number, name): (usize, &'e Name)| {
            let value = self.members.value(number, self.line)?;
            if used.contains(&number)
                || name.may_be_redundant && self.is_redundant(self.members.key(number, self.line), value, view)
            {
                return None;
            }
            let text = &*name.text;
            let is_taken = name.is_of_view && view.has_named(text);
            Some(Field { name: if is_taken { format!("{PREFIX}{text}").into() } else { text.into() }, value })
        };
        let mut fields = Vec::with_capacity(names.len());
        fields.extend(names.iter().enumerate().filter_map(field));
        fields
    }

    /// Returns whether a member says nothing that the view does not.
    fn is_redundant(&self, key: &[u8], value: Value<'e>, view: &View<'_>) -> bool {
        let is = |name: &str| is_same(name.as_bytes(), key);
        let repeats = self.dialect.repeats_service.iter().any(|name| is(name));
        repeats && view.text(Part::Service).is_some_and(|service| value.text().is_some_and(|text| text == service))
            || self.dialect.constants.iter().any(|(name, constant)| is(name) && value.bytes() == constant.as_bytes())
    }
}

/// Up to this many names are compared one by one, which takes less time than hashing them.
const FEW: usize = 24;

/// Fields with different names.
struct Unique<'e> {
    all: Vec<Field<'e>>,
    /// Where each name is, once there are more than [`FEW`].
    places: HashMap<Cow<'e, str>, usize>,
}

impl<'e> Unique<'e> {
    fn new(members: usize) -> Self {
        Self { all: Vec::with_capacity(members.min(FEW)), places: HashMap::new() }
    }

    fn put(&mut self, view: &View<'_>, name: Cow<'e, str>, value: Value<'e>) {
        let name = if view.has_named(&name) { Cow::Owned(format!("{PREFIX}{name}")) } else { name };
        if self.all.len() < FEW {
            match self.all.iter_mut().find(|field| is_same(field.name.as_bytes(), name.as_bytes())) {
                Some(field) => field.value = value,
                None => self.all.push(Field { name, value }),
            }
            return;
        }
        if self.places.is_empty() {
            self.places.extend(self.all.iter().enumerate().map(|(place, field)| (field.name.clone(), place)));
        }
        match self.places.get(&name).and_then(|place| self.all.get_mut(*place)) {
            Some(field) => field.value = value,
            None => {
                self.places.insert(name.clone(), self.all.len());
                self.all.push(Field { name, value });
            }
        }
    }
}

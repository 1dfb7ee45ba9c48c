//! The fields of an entry: all that the view does not name.

use std::borrow::Cow;
use std::collections::HashMap;

use super::member::{is_same, json_key};
use super::value::{Value, lossy};
use super::view::{Entry, Part, Place, View};

/// A field, under the name that its program gave it.
#[derive(Debug)]
pub(crate) struct Field<'e> {
    pub(crate) name: Cow<'e, str>,
    pub(crate) value: Value<'e>,
}

impl<'e> Entry<'e> {
    /// Returns the fields in the order of the line, each name once: the last of equal ones wins. A field with a name of the
    /// view is called `fields.` and its name.
    pub(crate) fn fields(&self, view: &View<'_>) -> Vec<Field<'e>> {
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
                fields.put(view, self.name_of(key), value);
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

    /// Returns the name of the field that a member is.
    fn name_of(&self, key: Cow<'e, str>) -> Cow<'e, str> {
        if self.dialect.keys.span.iter().any(|span| is_same(span.as_bytes(), key.as_bytes())) {
            return Cow::Borrowed("span_id");
        }
        match key.strip_prefix(self.dialect.prefix).filter(|name| !name.is_empty() && name.len() < key.len()) {
            Some(name) => Cow::Owned(name.to_owned()),
            None => key,
        }
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
        let name = if view.has_named(&name) { Cow::Owned(format!("fields.{name}")) } else { name };
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

//! The overlays of environments: `[env.prod]` over the rest of the text.

use std::collections::HashMap;

use super::mistakes::Mistake;
use super::tree::{Member, Place, Table, Value, key};
use super::unset;
use crate::advice::quoted;

/// The overlay that applies when none is selected, or one that the text does not define.
const DEFAULT: &str = "default";

/// The key of an overlay with what it takes away.
pub(crate) const UNSET: &str = "unset";

/// Keys whose tables are replaced as a whole if the overlay names another kind.
const KINDS: [&str; 2] = ["sink", "schema"];

/// What `select` found.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// The overlay's name; `None` if none applies.
    pub(crate) name: Option<String>,
    /// An environment was selected that the text does not define.
    pub(crate) undefined: Option<String>,
    /// The keys that the overlay takes away, as errors spell them, each with its place in the list.
    pub(crate) unset: Vec<(String, Place)>,
}

/// Takes the overlays out of `table`, and applies the one of `environment`.
///
/// `names_kind`: whether the key of a sink or schema names what it is.
pub(crate) fn select(
    table: &mut Table,
    environment: Option<&str>,
    names_kind: &dyn Fn(&str) -> bool,
    mistakes: &mut Vec<Mistake>,
) -> Selected {
    let mut selected = Selected::default();
    let Some(env) = table.take("env") else {
        selected.undefined = environment.map(str::to_owned);
        return selected;
    };
    let Value::Table(mut env) = env.value else {
        let message = format!("found {}; expected a table for each environment, such as `[env.prod]`", env.kind());
        mistakes.push(Mistake::new(env.place, "env", message));
        return selected;
    };
    for Member { name, node, .. } in &env.0 {
        let mistake = |place: Place, message| Mistake::new(place, format!("env.{name}"), message);
        match node.table() {
            None => {
                mistakes.push(mistake(node.place, format!("found {}; expected a table of settings", node.kind())));
            }
            Some(inner) => {
                if let Some(inner) = inner.member("env") {
                    mistakes.push(mistake(inner.place, "an environment has no environments; remove `env`".to_owned()));
                }
            }
        }
    }
    let wanted = environment.filter(|name| env.get(name).is_some());
    selected.undefined = environment.filter(|_| wanted.is_none()).map(str::to_owned);
    let name = wanted.unwrap_or(DEFAULT);
    let Some(mut overlay) = env.take(name) else { return selected };
    overlay.mark_overlay();
    if let Value::Table(mut overlay) = overlay.value {
        if let Some(list) = overlay.take(UNSET) {
            selected.unset = unset::unset(table, &list, &format!("env.{}.{UNSET}", key(name)), mistakes);
        }
        merge(table, overlay, names_kind);
    }
    selected.name = Some(name.to_owned());
    selected
}

/// Returns all overlays of a table, for checks.
pub(crate) fn names(table: &Table) -> Vec<String> {
    let env = table.get("env").and_then(|env| env.table());
    env.map(|env| env.0.iter().map(|member| member.name.clone()).collect()).unwrap_or_default()
}

/// Puts the members of `over` over those of `table`, table by table.
fn merge(table: &mut Table, over: Table, names_kind: &dyn Fn(&str) -> bool) {
    let places: HashMap<String, usize> =
        table.0.iter().enumerate().map(|(place, member)| (member.name.clone(), place)).collect();
    for member in over.0 {
        let Some(below) = places.get(&member.name).and_then(|place| table.0.get_mut(*place)) else {
            table.0.push(member);
            continue;
        };
        let is_kind = KINDS.contains(&member.name.as_str());
        match (&mut below.node.value, member.node.value) {
            (Value::Table(below), Value::Table(over))
                if !(is_kind && over.0.iter().any(|member| names_kind(&member.name))) =>
            {
                merge(below, over, names_kind);
            }
            (value, over) => {
                *value = over;
                (below.place, below.node.place) = (member.place, member.node.place);
            }
        }
    }
}

/// Returns the complaint about an environment that is not defined.
pub(crate) fn complaint(file: &str, environment: &str, applied: Option<&str>) -> String {
    let applies = applied.map_or("no overlay applies".to_owned(), |name| format!("`[env.{name}]` applies"));
    format!("{file} does not define the environment {}; {applies}", quoted(environment))
}

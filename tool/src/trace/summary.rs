//! What is said above and below a waterfall.

use super::rows::Waterfall;
use super::units::{duration, local_time, share};
use crate::counted::counted;

/// Own times of the chain that are listed.
const LISTED: usize = 5;

/// Texts about a whole trace.
#[derive(Debug)]
pub(super) struct Summary {
    /// What it is: the ids of its traces and requests.
    pub(super) ids: Vec<(&'static str, String)>,
    /// When it began, and how long it took.
    pub(super) time: Option<String>,
    pub(super) counts: String,
    /// How long the longest chain took, and where most of its time went: the time, its share, and the span.
    pub(super) chain: Option<(String, Vec<[String; 3]>)>,
    /// What is not shown, and why.
    pub(super) notes: Vec<String>,
}

impl Summary {
    /// `micro`: the unit of microseconds.
    pub(super) fn new(waterfall: &Waterfall<'_>, micro: &str) -> Self {
        let tree = waterfall.tree;
        let store = &tree.store;
        let ids = |name, all: &[String]| all.iter().take(LISTED).map(|id| (name, id.clone())).collect::<Vec<_>>();
        let sum =
            |count: fn(&super::span::Counts) -> u64| store.spans.iter().map(|span| count(&span.counts)).sum::<u64>();
        let mut counts = vec![
            counted(store.services.all.len() as u64, "service", "services"),
            counted(store.spans.iter().filter(|span| !span.is_outside).count() as u64, "span", "spans"),
            counted(store.lines, "line", "lines"),
        ];
        for (count, one, several) in
            [(sum(|counts| counts.errors), "error", "errors"), (sum(|counts| counts.warnings), "warning", "warnings")]
        {
            if count > 0 {
                counts.push(counted(count, one, several));
            }
        }
        let whole = tree.whole();
        Self {
            ids: [ids("trace", &store.traces.all), ids("request", &store.requests.all)].concat(),
            time: whole.map(|whole| format!("{}, {}", local_time(whole.start), duration(whole.nanos(), micro))),
            counts: counts.join(", "),
            chain: Self::of_chain(waterfall, micro),
            notes: Self::notes(waterfall),
        }
    }

    fn of_chain(waterfall: &Waterfall<'_>, micro: &str) -> Option<(String, Vec<[String; 3]>)> {
        let total = waterfall.chain_nanos();
        let longest = waterfall.longest();
        let parts = longest.iter().filter(|(_, own)| *own > 0).take(LISTED).map(|(number, own)| {
            let service = waterfall.tree.service(*number).map(|name| format!(" ({name})")).unwrap_or_default();
            let name = format!("{}{service}", waterfall.tree.name(*number));
            [duration(*own, micro), share(*own, total), name]
        });
        (total > 0 && longest.len() > 1).then(|| (duration(total, micro), parts.collect()))
    }

    fn notes(waterfall: &Waterfall<'_>) -> Vec<String> {
        let store = &waterfall.tree.store;
        let mut notes = Vec::new();
        let traces = store.traces.all.len();
        if traces > 1 {
            notes.push(format!("{traces} traces have this request; pass the id of one to see it alone"));
        }
        if store.left_out > 0 {
            let lines = counted(store.left_out, "line is", "lines are");
            notes.push(format!("{lines} in spans above the limit of {} spans", super::store::MAX_SPANS));
        }
        let is_without_time = |number: &usize| waterfall.tree.extent(*number).is_none();
        let without = waterfall.tree.order.iter().filter(|number| is_without_time(number)).count() as u64;
        if without > 0 {
            notes.push(format!("{} no line with a time", counted(without, "span has", "spans have")));
        }
        notes
    }
}

/// Returns what is odd about a span.
pub(super) fn oddities(waterfall: &Waterfall<'_>, number: usize, micro: &str) -> Vec<String> {
    let tree = waterfall.tree;
    let mut oddities = Vec::new();
    let names = tree.service(number).zip(tree.parent(number).and_then(|parent| tree.service(parent)));
    if let Some((early, (own, other))) = tree.skew(number).zip(names) {
        let early = duration(early, micro);
        oddities.push(format!("begins {early} before its parent: the clocks of {own} and {other} differ"));
    }
    if tree.in_circles.get(number).copied().unwrap_or(false) && tree.parent(number).is_none() {
        oddities.push("its parents lead back to it".to_owned());
    }
    oddities
}

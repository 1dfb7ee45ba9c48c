//! Directives: a level for each target, and one for all others.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::in_context::InContext;

/// A level for each of some targets, and one for all others.
///
/// `hyper` stands for the target `hyper` and for those below it, such as `hyper::client`. `hyper*` stands for every
/// target that begins so. The longest that matches counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directives {
    /// The level of all other targets; `None` when no directive sets it, which is as good as off.
    others: Option<LevelFilter>,
    /// Whole targets and what is below them.
    paths: Levels,
    /// Beginnings of targets.
    prefixes: Levels,
    /// The most verbose of these levels.
    max: Option<LevelFilter>,
    /// The levels inside some spans.
    in_context: Vec<InContext>,
}

/// The levels of targets, sorted.
#[derive(Clone, Debug, Default)]
struct Levels {
    levels: BTreeMap<String, LevelFilter>,
    /// The length of the longest target. A longer one is not looked up.
    longest: usize,
}

impl Directives {
    /// Sets the level of a target: a path, or a beginning followed by `*`. The last call for a target counts.
    pub(super) fn set(&mut self, target: &str, level: LevelFilter) {
        match target.strip_suffix('*') {
            Some(prefix) => self.prefixes.set(prefix, level),
            None => self.paths.set(target, level),
        }
    }

    /// Sets the level of all other targets.
    pub(super) fn set_others(&mut self, level: LevelFilter) {
        self.others = Some(level);
    }

    /// Adds a level for the events inside some spans.
    pub(super) fn add_in_context(&mut self, directive: InContext) {
        self.in_context.push(directive);
    }

    /// Returns the levels inside some spans.
    pub(super) fn in_context(&self) -> &[InContext] {
        &self.in_context
    }

    /// Returns the level of all other targets, if one is set.
    pub(super) fn others(&self) -> Option<LevelFilter> {
        self.others
    }

    /// Returns each target with its level: first the paths, then the beginnings, for which the second value is true.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&str, bool, LevelFilter)> {
        let paths = self.paths.levels.iter().map(|(target, level)| (target.as_str(), false, *level));
        paths.chain(self.prefixes.levels.iter().map(|(target, level)| (target.as_str(), true, *level)))
    }

    /// Returns whether nothing is set.
    pub(crate) fn is_empty(&self) -> bool {
        !self.names_targets() && self.in_context.is_empty()
    }

    /// Returns whether a directive names spans or their fields.
    #[cfg(feature = "tower")]
    pub(crate) fn names_spans(&self) -> bool {
        !self.in_context.is_empty()
    }

    fn names_targets(&self) -> bool {
        self.others.is_some() || !self.paths.levels.is_empty() || !self.prefixes.levels.is_empty()
    }

    /// Returns whether a level is set for all other targets.
    pub(crate) fn names_all(&self) -> bool {
        self.others.is_some()
    }

    /// Adds to `base` what is set here, which takes precedence.
    pub(crate) fn over(self, mut base: Self) -> Self {
        base.others = self.others.or(base.others);
        base.paths.add(self.paths);
        base.prefixes.add(self.prefixes);
        base.in_context.extend(self.in_context);
        base.finished()
    }

    /// Adds the directives of `other` for events inside some spans, and no other of it.
    pub(crate) fn with_context_of(mut self, other: &Self) -> Self {
        self.in_context.extend(other.in_context.iter().cloned());
        self.finished()
    }

    /// Returns only the directives for events inside some spans; `None` if there are none, or others too.
    #[cfg(all(unix, feature = "control"))]
    pub(crate) fn for_context_only(self) -> Option<Self> {
        // INFO is what a text without other directives has.
        let is_bare = matches!(self.others, None | Some(LevelFilter::INFO));
        let is_only = is_bare && self.paths.levels.is_empty() && self.prefixes.levels.is_empty();
        (is_only && !self.in_context.is_empty()).then(|| Self { in_context: self.in_context, ..Self::default() })
    }

    /// Works out the most verbose level, once all levels are set. A level inside some spans adds to the others: without
    /// any other, these are at INFO.
    pub(super) fn finished(mut self) -> Self {
        if !self.in_context.is_empty() && !self.names_targets() {
            self.others = Some(LevelFilter::INFO);
        }
        let levels = self.paths.levels.values().chain(self.prefixes.levels.values()).copied();
        self.max = levels.chain(self.others).max();
        self
    }

    /// Returns whether events of this target and level pass.
    pub(crate) fn enables(&self, target: &str, level: Level) -> bool {
        level <= self.level_of(target)
    }

    /// Returns whether events of this target and level pass outside or inside some spans. `is_inside`: whether they are
    /// inside the spans of a directive.
    pub(super) fn enables_where(&self, target: &str, level: Level, is_inside: impl Fn(&InContext) -> bool) -> bool {
        let enables = |directive: &InContext| directive.enables(level) && is_inside(directive);
        self.enables(target, level) || self.in_context.iter().any(enables)
    }

    /// Returns the most verbose level that passes, of any target, outside the spans of directives.
    pub(crate) fn max_level(&self) -> LevelFilter {
        self.max.unwrap_or(LevelFilter::OFF)
    }

    /// Returns whether a directive names the target, or a part of its path, and turns it off.
    pub(super) fn turns_off(&self, target: &str) -> bool {
        self.named_level(target) == Some(LevelFilter::OFF)
    }

    fn level_of(&self, target: &str) -> LevelFilter {
        self.named_level(target).or(self.others).unwrap_or(LevelFilter::OFF)
    }

    /// Returns the level of the longest directive that names the target.
    fn named_level(&self, target: &str) -> Option<LevelFilter> {
        let (path, prefix) = (self.paths.nearest_path(target), self.prefixes.longest_prefix(target));
        match (path, prefix) {
            (Some((path, level)), Some((prefix, _))) if path >= prefix => Some(level),
            (Some((_, level)), None) | (_, Some((_, level))) => Some(level),
            (None, None) => None,
        }
    }
}

impl Levels {
    fn set(&mut self, target: &str, level: LevelFilter) {
        self.longest = self.longest.max(target.len());
        self.levels.insert(target.to_owned(), level);
    }

    fn add(&mut self, others: Self) {
        self.longest = self.longest.max(others.longest);
        self.levels.extend(others.levels);
    }

    /// Returns the level of `target` or of the nearest path above it, with the path's length.
    fn nearest_path(&self, target: &str) -> Option<(usize, LevelFilter)> {
        if self.levels.is_empty() {
            return None;
        }
        let ends = (0..=self.longest.min(target.len())).rev();
        let mut paths = ends.filter_map(|end| {
            let (path, below) = target.split_at_checked(end)?;
            (below.is_empty() || below.starts_with("::")).then_some(path)
        });
        paths.find_map(|path| Some((path.len(), *self.levels.get(path)?)))
    }

    /// Returns the level of the longest beginning of `target` that is set, with its length.
    fn longest_prefix(&self, target: &str) -> Option<(usize, LevelFilter)> {
        let mut rest = target;
        while !rest.is_empty() {
            // The prefixes of `rest` sort before it and after everything that is only like their beginning.
            let (last, level) = self.levels.range::<str, _>((Unbounded, Included(rest))).next_back()?;
            let common: usize =
                rest.chars().zip(last.chars()).take_while(|(a, b)| a == b).map(|(char, _)| char.len_utf8()).sum();
            if common == last.len() {
                return Some((common, *level));
            }
            rest = rest.get(..common)?;
        }
        None
    }
}

/// Reads the targets as text has them: `with_target("hyper", …)` stands for `hyper` and `hyper::client`, not for
/// `hyper_util`.
impl From<&Targets> for Directives {
    fn from(targets: &Targets) -> Self {
        let mut directives = Self { others: targets.default_level(), ..Self::default() };
        for (target, level) in targets.iter() {
            match target {
                "" | "*" => directives.set_others(level),
                _ => directives.set(target, level),
            }
        }
        directives.finished()
    }
}

impl From<LevelFilter> for Directives {
    fn from(level: LevelFilter) -> Self {
        Self { others: Some(level), ..Self::default() }.finished()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse::parse;
    use super::*;

    fn enabled(directives: &str, target: &str) -> LevelFilter {
        parse(directives).expect(directives).level_of(target)
    }

    #[test]
    fn a_target_stands_for_itself_and_what_is_below() {
        let text = "info,hyper=off,hyper::client=debug,sqlx*=warn,sqlx_core=trace,tower_*=error";
        for (target, level) in [
            ("hyper", LevelFilter::OFF),
            ("hyper::server", LevelFilter::OFF),
            ("hyper::client", LevelFilter::DEBUG),
            ("hyper::client::pool", LevelFilter::DEBUG),
            ("hyper::clients", LevelFilter::OFF),
            ("hyper_util", LevelFilter::INFO),
            ("hyper_util::hyper", LevelFilter::INFO),
            ("hyper:", LevelFilter::INFO),
            ("sqlx", LevelFilter::WARN),
            ("sqlx::query", LevelFilter::WARN),
            ("sqlx_postgres", LevelFilter::WARN),
            ("sqlx_core::pool", LevelFilter::TRACE),
            ("sqlx_core2", LevelFilter::WARN),
            ("tower", LevelFilter::INFO),
            ("tower_http", LevelFilter::ERROR),
            ("", LevelFilter::INFO),
        ] {
            assert_eq!(enabled(text, target), level, "{target}");
        }
    }

    #[test]
    fn the_longest_counts_and_of_equal_ones_the_path() {
        assert_eq!(enabled("hyper=warn,hyper*=debug", "hyper"), LevelFilter::WARN);
        assert_eq!(enabled("hyper*=debug,hyper=warn", "hyper_util"), LevelFilter::DEBUG);
        assert_eq!(enabled("hyper::c*=debug,hyper=warn", "hyper::client"), LevelFilter::DEBUG);
        assert_eq!(enabled("hyp*=debug,hyper=warn", "hyper::client"), LevelFilter::WARN);
        assert_eq!(enabled("a=debug,a=warn", "a"), LevelFilter::WARN, "the last one of a target");
        assert_eq!(enabled("a*=debug,ab*=warn,abd*=error", "abc"), LevelFilter::WARN);
    }

    #[test]
    fn targets_are_read_as_text_is() {
        let targets = Targets::new().with_default(LevelFilter::INFO).with_target("hyper", LevelFilter::OFF);
        let directives = Directives::from(&targets);
        assert_eq!(directives.level_of("hyper::client"), LevelFilter::OFF);
        assert_eq!(directives.level_of("hyper_util"), LevelFilter::INFO);
    }

    proptest! {
        /// The look-up finds what a search through all directives finds.
        #[test]
        fn any_look_up_is_the_same_as_a_search(
            set in proptest::collection::vec(("[aé:]{1,4}\\*?", 0usize..6), 0..12), target in "[aé:]{0,6}",
        ) {
            let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG,
                LevelFilter::TRACE];
            let mut directives = Directives::default();
            set.iter().for_each(|(text, level)| directives.set(text, levels[*level]));
            let matches = |text: &str| match text.strip_suffix('*') {
                Some(prefix) => target.starts_with(prefix),
                None => target.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")),
            };
            let found = set.iter().filter(|(text, _)| matches(text));
            // Of equal length, the path; of equal ones, the last.
            let best = found.max_by_key(|(text, _)| (text.trim_end_matches('*').len(), !text.ends_with('*')));
            prop_assert_eq!(directives.level_of(&target), best.map_or(LevelFilter::OFF, |(_, level)| levels[*level]));
        }
    }
}

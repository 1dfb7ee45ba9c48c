//! What is not in the program: `tracing` and `log` can be compiled without their more verbose levels.

use tracing::level_filters::LevelFilter;

/// Returns a complaint about a filter that asks for levels that the program does not have; `None` if it has them.
///
/// `asked`: the most verbose level of the filter. `compiled`: the most verbose one in the program. `library`: whose
/// macros it holds for.
pub(crate) fn removed(library: &str, asked: LevelFilter, compiled: LevelFilter) -> Option<String> {
    (asked > compiled).then(|| {
        let (asked, compiled) = (asked.to_string().to_uppercase(), compiled.to_string().to_uppercase());
        format!(
            "the filter asks for {asked}, but the program is compiled without events of `{library}` below {compiled}; \
             remove the feature `max_level_…` or `release_max_level_…` of `{library}`, which \
             `cargo tree -e features -i {library}` finds"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_level_that_is_not_there_is_a_complaint() {
        let text = removed("tracing", LevelFilter::TRACE, LevelFilter::INFO).expect("TRACE was removed");
        assert!(text.contains("asks for TRACE") && text.contains("below INFO"), "{text}");
        assert!(removed("log", LevelFilter::INFO, LevelFilter::OFF).is_some());
        assert_eq!(removed("tracing", LevelFilter::INFO, LevelFilter::INFO), None);
        assert_eq!(removed("tracing", LevelFilter::OFF, LevelFilter::TRACE), None);
    }
}

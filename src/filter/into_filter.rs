//! What a filter setting accepts: directives as text, or a filter that is already parsed.
//!
//! The text is parsed where an error can be returned: by `init`, `build` or [`Handle`](crate::Handle).

use std::borrow::Cow;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::directives::Directives;
use super::parse::{EMPTY, parse};
use crate::error::Error;

/// Values that can be used as a filter.
///
/// A filter is text with `target=level` directives (`&str`, `&String`, `String`, `Cow<str>`), a
/// [`Targets`], or one level for all targets: a [`Level`] or a [`LevelFilter`].
///
/// A target stands for itself and what is below it: `hyper` for `hyper` and `hyper::client`, not for `hyper_util`. This
/// also holds for [`Targets`]. `hyper*` stands for all three. Text with a mistake, such as `warning`, is an error that
/// says what to write, and so is a filter without a directive.
///
/// ```
/// use tracing::level_filters::LevelFilter;
/// use tracing_subscriber::filter::Targets;
///
/// let hyper = Targets::new().with_default(LevelFilter::INFO).with_target("hyper", LevelFilter::OFF);
/// spanline::builder().filter("info,hyper*=off");
/// spanline::builder().filter(format!("info,{}=debug", "orders"));
/// spanline::builder().filter(hyper);
/// spanline::builder().filter(LevelFilter::DEBUG);
/// ```
///
/// The trait is sealed: other crates cannot implement it.
pub trait IntoFilter: sealed::Sealed {}

impl<T: sealed::Sealed> IntoFilter for T {}

/// A filter that a setting was given, not parsed yet.
#[derive(Clone, Debug)]
pub struct FilterSetting(Setting);

#[derive(Clone, Debug)]
enum Setting {
    Directives(String),
    Parsed(Directives),
}

impl FilterSetting {
    pub(crate) fn new(filter: impl IntoFilter) -> Self {
        filter.into_setting()
    }

    /// # Errors
    /// There is no directive, or one with a mistake.
    pub(crate) fn parse(self) -> Result<Directives, Error> {
        match self.0 {
            Setting::Directives(text) => parse(&text),
            Setting::Parsed(directives) if directives.is_empty() => Err(Error::invalid(EMPTY)),
            Setting::Parsed(directives) => Ok(directives),
        }
    }
}

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a filter",
        note = "expected directives as text (`&str`, `String`), `Targets`, `Level` or `LevelFilter`, by value"
    )]
    pub trait Sealed {
        fn into_setting(self) -> super::FilterSetting;
    }
}

impl<T: AsRef<str> + ?Sized> sealed::Sealed for &T {
    fn into_setting(self) -> FilterSetting {
        self.as_ref().to_owned().into_setting()
    }
}

impl sealed::Sealed for String {
    fn into_setting(self) -> FilterSetting {
        FilterSetting(Setting::Directives(self))
    }
}

impl sealed::Sealed for Cow<'_, str> {
    fn into_setting(self) -> FilterSetting {
        self.into_owned().into_setting()
    }
}

impl sealed::Sealed for Targets {
    fn into_setting(self) -> FilterSetting {
        FilterSetting(Setting::Parsed(Directives::from(&self)))
    }
}

impl sealed::Sealed for LevelFilter {
    fn into_setting(self) -> FilterSetting {
        FilterSetting(Setting::Parsed(Directives::from(self)))
    }
}

impl sealed::Sealed for Level {
    fn into_setting(self) -> FilterSetting {
        LevelFilter::from_level(self).into_setting()
    }
}

//! Colours and styles of a terminal, named by words.

use std::borrow::Cow;

use crate::advice::unknown;
use crate::error::Error;

/// A colour and style of text at a terminal, such as `bold red`.
///
/// ```
/// use spanline::schema::Style;
///
/// let style = Style::parse("bold red on white")?;
/// assert_ne!(style, Style::PLAIN);
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style(Cow<'static, str>);

/// What ends every style.
pub(super) const RESET: &str = "\x1b[0m";

/// Words that are no colour, and their codes.
const STYLES: [(&str, &str); 7] = [
    ("bold", "1"),
    ("dim", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("blink", "5"),
    ("reverse", "7"),
    ("strike", "9"),
];

/// Colours in the order of their codes, from 30.
const COLORS: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// What people call a style, and its name.
const ALIASES: [(&str, &str); 3] = [("grey", "bright-black"), ("gray", "bright-black"), ("purple", "magenta")];

impl Style {
    /// No colour and no style.
    pub const PLAIN: Self = Self(Cow::Borrowed(""));

    pub(super) const fn new(codes: &'static str) -> Self {
        Self(Cow::Borrowed(codes))
    }

    /// Returns the style that words name: `bold`, `dim`, `italic`, `underline`, `blink`, `reverse`, `strike`, and the
    /// colours `black`, `red`, `green`, `yellow`, `blue`, `magenta`, `cyan`, `white`, each also as `bright-…` and, for the
    /// background, behind `on`.
    ///
    /// # Errors
    /// When a word names no style; the error suggests the nearest one.
    pub fn parse(words: &str) -> Result<Self, Error> {
        let mut codes = Vec::new();
        let mut is_background = false;
        for word in words.split_whitespace() {
            if word == "on" {
                is_background = true;
            } else {
                codes.push(code(word, is_background).ok_or_else(|| no_style(word))?);
                is_background = false;
            }
        }
        if is_background {
            return Err(Error::invalid(format!("`{words}` ends with `on`: a colour must follow it")));
        }
        Ok(if codes.is_empty() { Self::PLAIN } else { Self(format!("\x1b[{}m", codes.join(";")).into()) })
    }

    /// Returns the sequence that begins the style; empty for the plain one.
    pub(super) fn begin(&self) -> &str {
        &self.0
    }

    /// Returns the sequence that ends the style; empty for the plain one.
    pub(super) fn end(&self) -> &'static str {
        if self.0.is_empty() { "" } else { RESET }
    }
}

fn code(word: &str, is_background: bool) -> Option<String> {
    let word = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, name)| name);
    let bright = word.strip_prefix("bright-");
    let color = COLORS.iter().position(|color| *color == bright.unwrap_or(word));
    match color {
        Some(color) => {
            let first = if bright.is_some() { 90 } else { 30 } + if is_background { 10 } else { 0 };
            Some((first + color).to_string())
        }
        None if is_background => None,
        None => STYLES.iter().find(|(style, _)| *style == word).map(|(_, code)| (*code).to_owned()),
    }
}

fn no_style(word: &str) -> Error {
    let styles = STYLES.iter().map(|(style, _)| *style).chain(COLORS).chain(["on"]);
    Error::invalid(unknown("style", word, styles, &ALIASES))
}

#[cfg(test)]
mod tests {
    use super::Style;

    #[test]
    fn words_name_styles_and_a_wrong_word_gets_advice() {
        let codes = |words: &str| Style::parse(words).map(|style| style.begin().to_owned()).map_err(|e| e.to_string());
        assert_eq!(codes(""), Ok(String::new()));
        assert_eq!(codes("bold red"), Ok("\x1b[1;31m".to_owned()));
        assert_eq!(codes("grey on bright-white"), Ok("\x1b[90;107m".to_owned()));
        assert!(codes("rde").is_err_and(|error| error.contains("`red`")), "{:?}", codes("rde"));
        assert!(codes("on bold").is_err() && codes("red on").is_err());
    }
}

//! Directives as text, which parses to the same directives again.

use std::fmt::{self, Write};

use tracing::level_filters::LevelFilter;

use super::directives::Directives;
use super::in_context::{FieldTest, InContext, Test};

impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        let mut separate = |f: &mut fmt::Formatter<'_>| match std::mem::replace(&mut is_first, false) {
            true => Ok(()),
            false => f.write_char(','),
        };
        if let Some(level) = self.others() {
            separate(f)?;
            write!(f, "{level}")?;
        }
        for (target, is_prefix, level) in self.targets() {
            separate(f)?;
            write!(f, "{target}{}={level}", if is_prefix { "*" } else { "" })?;
        }
        for directive in self.in_context() {
            separate(f)?;
            write!(f, "{directive}")?;
        }
        // Nothing passes.
        if is_first { write!(f, "{}", LevelFilter::OFF) } else { Ok(()) }
    }
}

impl fmt::Display for InContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, span, fields, level } = self;
        write!(f, "{}[{}", target.as_deref().unwrap_or_default(), span.as_deref().unwrap_or_default())?;
        for (place, field) in fields.iter().enumerate() {
            f.write_char(if place == 0 { '{' } else { ',' })?;
            write!(f, "{field}")?;
        }
        write!(f, "{}]={level}", if fields.is_empty() { "" } else { "}" })
    }
}

impl fmt::Display for FieldTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.value {
            Test::Present => Ok(()),
            Test::Word { text, .. } => write!(f, "={text}"),
            Test::Text(text) => write!(f, "={}", Quoted(text)),
            Test::Prefix(beginning) => write!(f, "={}*", Quoted(beginning)),
            // Its other backslashes are the expression's.
            Test::Pattern(pattern) => write!(f, "=~\"{}\"", pattern.text().replace('"', "\\\"")),
        }
    }
}

/// A value in quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            if matches!(char, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(char)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracing_subscriber::filter::Targets;

    use super::super::parse::parse;
    use super::*;

    #[test]
    fn directives_are_printed_in_the_syntax_that_is_read() {
        for (text, printed) in [
            ("INFO", "info"),
            ("off", "off"),
            ("orders", "orders=trace"),
            ("warn,hyper*=off,db::pool=5,db=2,error", "error,db=warn,db::pool=trace,hyper*=off"),
            ("[request]", "info,[request]=trace"),
            ("debug,a*[b{c=1,d=x*,e=\"\\\"\\\\,\",f}]=debug", "debug,a*[b{c=1,d=\"x\"*,e=\"\\\"\\\\,\",f}]=debug"),
        ] {
            assert_eq!(parse(text).expect(text).to_string(), printed);
            assert_eq!(parse(printed).expect(printed).to_string(), printed);
        }
        #[cfg(feature = "regex")]
        for text in [r#"info,[{a=~"^\d+\.x"}]=debug"#, r#"info,[{a=~"say \"hi\""}]=debug"#] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
        let targets = Targets::new().with_target("hyper", LevelFilter::OFF);
        assert_eq!(Directives::from(&targets).to_string(), "hyper=off");
        assert_eq!(Directives::default().to_string(), "off");
    }

    proptest! {
        /// What is printed means what was read.
        #[test]
        fn any_directives_are_read_again_as_they_were(
            all in proptest::collection::vec(("[a-z]{1,3}(::[a-z]{1,3})?\\*?", 0usize..6), 0..6),
            value in "[^\\p{C}]{0,8}", others in 0usize..6,
        ) {
            let levels = ["off", "error", "warn", "info", "debug", "trace"];
            let mut text = all.iter().fold(levels[others].to_owned(), |text, (target, level)| {
                format!("{text},{target}={}", levels[*level])
            });
            text += &format!(",[{{v={}}}]=debug,[{{w={}*}}]", Quoted(&value), Quoted(&value));
            let read = parse(&text).expect(&text);
            let again = parse(&read.to_string()).expect(&text);
            prop_assert_eq!(format!("{read:?}"), format!("{again:?}"));
        }
    }
}

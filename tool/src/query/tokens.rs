//! The words, texts and signs of an expression.

use super::mistake::Mistake;

/// A token, and the column of its first character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) column: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    /// A text in quotes, without them.
    Text(String),
    Operator(Operator),
    Open,
    Close,
    End,
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    MatchesNot,
}

/// The longest sign first.
const SIGNS: [(&str, Operator); 9] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("!~", Operator::MatchesNot),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("~", Operator::Matches),
];

/// Signs of other languages, and what to write instead.
const FOREIGN: [(&str, &str); 6] = [("=~", "~"), ("<>", "!="), ("&&", "and"), ("||", "or"), ("=>", ">="), ("!", "not")];

/// Takes an expression apart. The last token is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let (mut rest, mut column) = (text, 1);
    loop {
        let (space, trimmed) = rest.split_at(rest.len() - rest.trim_start().len());
        column += space.chars().count();
        rest = trimmed;
        let Some(first) = rest.chars().next() else {
            tokens.push(Token { column, kind: Kind::End });
            return Ok(tokens);
        };
        let (kind, bytes) = token(rest, first).map_err(|text| Mistake::new(column, text))?;
        tokens.push(Token { column, kind });
        let (read, behind) = rest.split_at_checked(bytes).unwrap_or((rest, ""));
        column += read.chars().count();
        rest = behind;
    }
}

/// Reads the token at the beginning of `rest`; returns also its length in bytes.
fn token(rest: &str, first: char) -> Result<(Kind, usize), String> {
    match first {
        '(' => return Ok((Kind::Open, 1)),
        ')' => return Ok((Kind::Close, 1)),
        '"' | '\'' => return quoted(rest, first).map(|(text, bytes)| (Kind::Text(text), bytes)),
        first if is_word(first) => {
            let end = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
            return Ok((Kind::Word(rest.get(..end).unwrap_or_default().to_owned()), end));
        }
        _ => {}
    }
    let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
    let foreign = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign));
    match (sign, foreign) {
        (Some((sign, operator)), foreign) if foreign.is_none_or(|(foreign, _)| foreign.len() <= sign.len()) => {
            Ok((Kind::Operator(*operator), sign.len()))
        }
        (_, Some((foreign, ours))) => Err(format!("unknown sign `{foreign}`; write `{ours}`")),
        _ => Err(format!("unexpected character {first:?}; put texts and unusual names in quotes")),
    }
}

/// Names may have dots, and what the keys of well-known loggers have.
pub(super) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '-' | '@' | '/' | '$' | ':' | '#' | '+')
}

/// Reads a text in quotes. A backslash escapes the quote and itself, and is itself in front of anything else: regular
/// expressions need few more of them.
pub(super) fn quoted(rest: &str, quote: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == quote {
            return Ok((text, at + 1));
        }
        match chars.next_if(|(_, next)| char == '\\' && (*next == quote || *next == '\\')) {
            Some((_, escaped)) => text.push(escaped),
            None => text.push(char),
        }
    }
    Err(format!("this text has no end; add {quote} behind it"))
}

impl Kind {
    /// Returns the token as an error names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Text(text) => format!("{text:?}"),
            Self::Operator(operator) => {
                let sign = SIGNS.iter().rev().find(|(_, of)| of == operator).map_or("", |(sign, _)| sign);
                format!("`{sign}`")
            }
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

//! Variables in the values of static fields: `${HOSTNAME}`, `${VERSION:-dev}`. Nothing else is interpreted.

use crate::advice::quoted;

/// Replaces `${NAME}` by the variable, and `${NAME:-default}` by the variable or, if it is unset or empty, the default.
/// `$${` stands for `${`.
///
/// # Errors
/// A variable is not set and has no default, or the text after `${` is not in this form.
pub(crate) fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out += before;
            out += "${";
            rest = after;
            continue;
        }
        out += before;
        let form = "expected `${NAME}` or `${NAME:-default}`, and `$${` for the text `${`";
        let (inner, behind) = after.split_once('}').ok_or_else(|| format!("`${{` without `}}`; {form}"))?;
        let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
        let is_name = !name.is_empty()
            && !name.starts_with(|char: char| char.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(format!("{} is no variable; {form}", quoted(name)));
        }
        match (variable(name).filter(|value| default.is_none() || !value.is_empty()), default) {
            (Some(value), _) => out += &value,
            (None, Some(default)) => out += default,
            (None, None) => {
                return Err(format!("the variable {name} is not set; set it, or give a default: `${{{name}:-…}}`"));
            }
        }
        rest = behind;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_nothing_else_is() {
        let variable = |name: &str| match name {
            "HOST" => Some("web-1 ${HOST}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let expanded = |text: &str| expand(text, variable);
        assert_eq!(expanded("a ${HOST} b").unwrap(), "a web-1 ${HOST} b", "a value is not interpreted again");
        assert_eq!(expanded("${VERSION:-dev}${EMPTY:-x}${EMPTY}").unwrap(), "devx");
        for text in ["$HOST", "$(id)", "`id`", "~", "%HOST%", "{HOST}", "$", "\\${"] {
            let escaped = text.replace("${", "$${");
            assert_eq!(expanded(&escaped).unwrap(), text);
        }
        for text in ["${", "${}", "${A B}", "${1A}", "${A:+b}", "${NONE}", "${#HOST}"] {
            assert!(expanded(text).is_err(), "{text}");
        }
    }
}

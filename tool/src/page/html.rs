//! Markup with texts that are escaped.

use std::fmt::{Display, Write};

use crate::escape::{escaped_json, escaped_text};

/// A part of a page.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Appends markup that the program contains.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends a text from anywhere.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for char in escaped_text(text).chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                char => self.0.push(char),
            }
        }
        self
    }

    /// Appends an attribute to a tag that is not closed yet.
    pub(crate) fn attribute(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        let _ = write!(self.0, " {name}=\"");
        self.text(&value.to_string()).raw("\"")
    }

    /// Appends an element with only a text in it. `class`: its class, or "".
    pub(crate) fn element(&mut self, name: &'static str, class: &'static str, text: &str) -> &mut Self {
        self.raw("<").raw(name);
        if !class.is_empty() {
            self.raw(" class=\"").raw(class).raw("\"");
        }
        self.raw(">").text(text).raw("</").raw(name).raw(">")
    }

    /// Appends JSON as data for the page's script, in the element with this id.
    pub(crate) fn data(&mut self, id: &'static str, json: &str) -> &mut Self {
        self.raw("<script type=\"application/json\"").attribute("id", id).raw(">");
        // No `</script>` and no `<!--` can be in it. All of these are in strings.
        for char in escaped_json(json).chars() {
            match char {
                '<' | '>' | '&' => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(char));
                }
                char => self.0.push(char),
            }
        }
        self.raw("</script>\n")
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</script><img src=x onerror='a()'> \"q\" & \u{2028}\u{202e}\u{0}\u{1b}[2J\u{85}";

    #[test]
    fn no_text_is_markup() {
        let mut html = Html::default();
        html.raw("<p").attribute("title", HOSTILE).raw(">").text(HOSTILE).raw("</p>");
        let escaped = "&lt;/script&gt;&lt;img src=x onerror=&#39;a()&#39;&gt; &quot;q&quot; &amp; \
             \\u{2028}\\u{202e}\\u{0}\\u{1b}[2J\\u{85}";
        assert_eq!(html.as_str(), format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn data_cannot_end_its_element_and_has_the_same_meaning() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE, "<!--<script>"] });
        let mut html = Html::default();
        html.data("data", &value.to_string());
        let inner = html.as_str().strip_prefix("<script type=\"application/json\" id=\"data\">").unwrap();
        let inner = inner.strip_suffix("</script>\n").unwrap();
        assert!(!inner.contains(['<', '>', '&', '\u{2028}', '\u{202e}']), "{inner}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(inner).unwrap(), value);
    }
}

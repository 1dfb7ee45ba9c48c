//! A whole page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::html::Html;

/// The colours and the type of all pages.
const STYLE: &str = include_str!("frame.css");

/// A page: what is between the tags of its body, with the style and the script of this kind of page.
#[derive(Debug)]
pub(crate) struct Page<'p> {
    pub(crate) title: &'p str,
    pub(crate) body: &'p Html,
    pub(crate) style: &'static str,
    /// Runs at the end of the body.
    pub(crate) script: &'static str,
}

impl Page<'_> {
    /// Returns the whole file.
    pub(crate) fn render(&self) -> String {
        let style = format!("{STYLE}{}", self.style);
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            hash(&style),
            hash(self.script)
        );
        let mut head = Html::default();
        head.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        head.raw("<meta http-equiv=\"Content-Security-Policy\"").attribute("content", policy).raw(">\n");
        head.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        head.raw(
            "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n",
        );
        head.element("title", "", self.title);
        let (head, body, script) = (head.as_str(), self.body.as_str(), self.script);
        format!("{head}\n<style>{style}</style>\n</head>\n<body>\n{body}<script>{script}</script>\n</body>\n</html>\n")
    }
}

/// Returns a source of the policy: the hash of what is between the tags.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_hashes_of_what_it_runs() {
        let body = Html::default();
        let page = Page { title: "<t>", body: &body, style: "", script: "1;" }.render();
        // printf '1;' | openssl dgst -sha256 -binary | base64
        let expected = "script-src &#39;sha256-";
        assert!(page.contains(expected) && page.contains("<title>&lt;t&gt;</title>"), "{page}");
        assert_eq!(hash(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
    }
}

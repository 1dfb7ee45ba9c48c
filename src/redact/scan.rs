//! One pass over a text: collects the matches at its anchors, and writes the text without its secrets.
//!
//! The time is linear in the text: looking back is bounded, and what is read ahead is either bounded or skipped
//! afterwards.

use super::anchors::{Found, Walk};
use super::bounds::Strings;
use super::cards::MIN_CARD_DIGITS;
use super::hit::{Hit, With};
use super::json;
use super::matcher::Matcher;
use super::rules::Rules;
use super::shapes;

/// Scans texts, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The last text in which something was found, without its secrets.
    pub(crate) out: Vec<u8>,
    /// Secrets found in all texts.
    pub(crate) found: u64,
    hits: Vec<Hit>,
    /// The anchors of the current text.
    anchors: Vec<Found>,
    path: Vec<u8>,
}

/// A buffer larger than this is not kept for the next text.
pub(crate) const MAX_KEPT_BYTES: usize = 64 << 10;
const MAX_KEPT_HITS: usize = 1024;

impl Scan {
    /// Scans a text. Returns true when something was found; [`out`](Self::out) then holds the redacted text.
    ///
    /// `cut`: the text was cut, so a secret may end early.
    pub(crate) fn text(&mut self, rules: &Rules, text: &[u8], cut: bool) -> bool {
        self.json(rules, text, cut, "")
    }

    /// Scans a text that may be JSON, the value of the field `name`.
    pub(crate) fn json(&mut self, rules: &Rules, text: &[u8], cut: bool, name: &str) -> bool {
        self.find(rules, text, cut, name.as_bytes(), Strings::UNKNOWN) && self.write(rules, text)
    }

    /// Scans a text that is JSON and has to stay JSON: a match that begins in a string ends in it.
    pub(crate) fn whole_json(&mut self, rules: &Rules, text: &[u8], name: &str) -> bool {
        self.find(rules, text, false, name.as_bytes(), Strings::of(text)) && self.write(rules, text)
    }

    #[inline(never)]
    fn find(&mut self, rules: &Rules, text: &[u8], cut: bool, name: &[u8], mut strings: Strings) -> bool {
        self.hits.clear();
        if rules.values {
            let mut matcher = Matcher { rules, text, cut, jwt_until: 0 };
            let (mut until, hits) = (0, &mut self.hits);
            Walk::all(&rules.anchors, text, cut, |found| self.anchors.push(found));
            // Those of one block are not in order.
            self.anchors.sort_unstable();
            for (at, kinds) in self.anchors.drain(..) {
                if at >= until {
                    matcher.text = strings.around(text, at);
                    let is_in_string = strings.are_around(at);
                    if let Some(hit) = matcher.at_anchor(at, kinds) {
                        until = add(hits, text, hit, is_in_string);
                    }
                }
            }
            if cut {
                matcher.text = text;
                hits.extend(matcher.at_cut());
            }
        }
        if matches!(text.first(), Some(b'{' | b'[')) {
            self.path.clear();
            self.path.extend_from_slice(name);
            json::find(rules, text, &mut self.path, &mut self.hits);
        }
        if !self.hits.is_sorted_by_key(|hit| (hit.start, hit.with)) {
            self.hits.sort_unstable_by_key(|hit| (hit.start, hit.with));
        }
        self.hits.iter().any(|hit| hit.start < hit.end)
    }

    /// Writes the text without its secrets.
    #[cold]
    fn write(&mut self, rules: &Rules, text: &[u8]) -> bool {
        let Self { out, hits, anchors, found, .. } = self;
        out.clear();
        out.shrink_to(MAX_KEPT_BYTES);
        let mut copied = 0;
        for hit in hits.iter().filter(|hit| hit.start < hit.end) {
            if hit.end <= copied {
                continue;
            }
            if hit.start < copied {
                // The replacement is there.
                copied = hit.end;
                continue;
            }
            out.extend_from_slice(text.get(copied..hit.start).unwrap_or_default());
            let secret = text.get(hit.start..hit.end).unwrap_or_default();
            match (hit.with, secret.last_chunk::<4>()) {
                (With::LastFour, Some(four)) if rules.last_four && secret.len() >= usize::from(MIN_CARD_DIGITS) => {
                    out.extend_from_slice("…".as_bytes());
                    out.extend_from_slice(four);
                }
                (With::Quoted(backslashes), _) => {
                    for part in [&b""[..], rules.replacement.as_bytes()] {
                        out.extend_from_slice(part);
                        out.extend(std::iter::repeat_n(b'\\', backslashes));
                        out.push(b'"');
                    }
                }
                _ => out.extend_from_slice(rules.replacement.as_bytes()),
            }
            copied = hit.end;
            *found += 1;
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        hits.clear();
        hits.shrink_to(MAX_KEPT_HITS);
        anchors.shrink_to(MAX_KEPT_HITS);
        copied > 0
    }
}

/// Adds a match, and the lines of a private key after it. Returns where the next match may begin.
fn add(hits: &mut Vec<Hit>, text: &[u8], mut hit: Hit, is_in_string: bool) -> usize {
    let mut end = hit.end;
    let is_key = text.get(hit.start..).is_some_and(|rest| rest.starts_with(b"-----BEGIN"));
    loop {
        if is_in_string {
            hit.fit(text);
        }
        hits.push(hit);
        match shapes::pem_line(text, end).filter(|_| is_key) {
            Some(line) => {
                end = line.end;
                hit = Hit { start: line.start, end, with: With::Bare };
            }
            None => return end,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::anchors::kind;
    use super::super::{Redact, bounds};
    use super::*;

    /// What secrets, and what looks like them, are made of.
    fn piece() -> impl Strategy<Value = String> {
        let fixed = [
            "\u{a0}",
            "pin",
            "k",
            "-k ab",
            "\"-k\",\"a\"",
            "'",
            ",",
            "--",
            "4111 1111 1111 1111",
            "4222222222222",
            "4222 2222 22222",
            "4222.2222.22222",
            "ghp_",
            "eyJhbGci",
            "basic dTpw",
            "Bearer a1",
            "sk-",
            "\"",
            "ATATT3",
            "|",
            "\n",
            "(",
            "*",
            " ",
            "code",
            "login code",
            "key",
            "LOGIN a ",
            "PASS ",
            "auth",
            "AUTH ",
            "password",
            " for ",
            " is ",
            "is your ",
            "echo a",
            "| sudo -S",
            "curl -su a:",
            "htpasswd -b ",
            "crypt('",
            "kty",
            "identified ",
            "reset",
            "/",
            "</a><b>",
            "<",
            "!a ",
            "[]a{",
            "LS0tLS1CRUdJTi",
            "::",
            "add-mask",
            "codes",
        ];
        let fixed = prop::sample::select(fixed.map(str::to_owned).to_vec());
        prop_oneof!["[0-9]{1,19}", "[ .:=-]", "[a-f0-9]{4,12}", "[a-zA-Z]{1,12}", fixed]
    }

    fn scan(rules: &Rules, text: &str, cut: bool) -> Option<String> {
        let mut scan = Scan::default();
        scan.text(rules, text.as_bytes(), cut).then(|| String::from_utf8(scan.out).expect("UTF-8"))
    }

    #[track_caller]
    fn redacted(text: &str, expected: &str) {
        let rules = Redact::new().values().replacement("XXX").rules().expect("rules");
        assert_eq!(scan(&rules, text, false).as_deref(), Some(expected));
    }

    #[test]
    fn a_value_is_replaced_up_to_its_end() {
        for (text, expected) in [
            ("password=hunter2", "password=XXX"),
            ("a=1 password=hunter2 b=2", "a=1 password=XXX b=2"),
            ("user=bob&password=hunter2&x=1", "user=bob&password=XXX&x=1"),
            ("password: hunter2, user: bob", "password: XXX, user: bob"),
            ("password = 'hun ter2' x", "password = 'XXX' x"),
            (
                r#"Login { user: "bob", password: "hun\"ter2", x: 1 }"#,
                r#"Login { user: "bob", password: "XXX", x: 1 }"#,
            ),
            (r#"Login { password: Some("hunter2"), x: 1 }"#, r#"Login { password: XXX, x: 1 }"#),
            (r#"Login { password: Secret { inner: "a}b" }, x: 1 }"#, r#"Login { password: XXX, x: 1 }"#),
            (r#"Login { password: [104, 117], pin: None }"#, r#"Login { password: XXX, pin: None }"#),
            (r#"Login { password: b"abc", x: 1 }"#, r#"Login { password: b"XXX", x: 1 }"#),
            (r#"{"password":"hunter2","x":1}"#, r#"{"password":"XXX","x":1}"#),
            (r#"{"password":1234,"x":1}"#, r#"{"password":"XXX","x":1}"#),
            (r#"{"password":["a","b"],"x":1}"#, r#"{"password":"XXX","x":1}"#),
            (r#"{"body":"{\"password\":\"hun\\\"ter2\"}","x":1}"#, r#"{"body":"{\"password\":\"XXX\"}","x":1}"#),
            (r#"{"body":"{\"pin_token\":1234}","x":1}"#, r#"{"body":"{\"pin_token\":\"XXX\"}","x":1}"#),
            ("Authorization: Bearer abc def\nHost: x", "Authorization: XXX\nHost: x"),
            ("Cookie: a=b; c=d\r\nHost: x", "Cookie: XXX\r\nHost: x"),
            (r#"{"msg":"authorization: Digest abc\"}","x":1}"#, r#"{"msg":"authorization: XXX\"}","x":1}"#),
            (r#"[("authorization", "Bearer abc"), ("host", "x")]"#, r#"[("authorization", "XXX"), ("host", "x")]"#),
            (r#"[["authorization","Bearer abc"],["host","x"]]"#, r#"[["authorization","XXX"],["host","x"]]"#),
            (r#"Password("hunter2")"#, r#"Password("XXX")"#),
            (r#"Password { value: "hunter2" }"#, "Password {XXX}"),
            ("<password>hunter2</password>", "<password>XXX</password>"),
            ("psql --password hunter2 -h x", "psql --password XXX -h x"),
            ("psql --password=hunter2 -h x", "psql --password=XXX -h x"),
            (r#""psql" "--password" "hunter2""#, r#""psql" "--password" "XXX""#),
            (r#"["psql", "--password", "hunter2"]"#, r#"["psql", "--password", "XXX"]"#),
            ("x-api-key: abc, y", "x-api-key: XXX, y"),
            ("token: Bearer abc rest", "token: XXX rest"),
            ("Server=db;Password=hunter2;User=x", "Server=db;Password=XXX;User=x"),
            ("{'password': 'hunter2', 'x': 1}", "{'password': 'XXX', 'x': 1}"),
            ("password => \"hunter2\"", "password => \"XXX\""),
            ("user[password]=hunter2", "user[password]=XXX"),
            ("password=<hunter2 x", "password=XXX x"),
            ("password='it''s hunter2' x", "password='XXX' x"),
            (r#"Password="a""hunter2";User=x"#, r#"Password="XXX";User=x"#),
            (
                "<wsse:Password Type=\"x#PasswordText\">hunter2</wsse:Password>",
                "<wsse:Password Type=\"x#PasswordText\">XXX</wsse:Password>",
            ),
            ("Cookie: a=\"\"; b=\"c\"; sid=hunter2\r\nHost: x", "Cookie: XXX\r\nHost: x"),
            (r#"Authorization: Digest username="bob", response="hunter2""#, "Authorization: XXX"),
            (
                r#"{"msg":"Authorization: Digest username=\"bob\", response=\"hunter2\"","x":1}"#,
                r#"{"msg":"Authorization: XXX","x":1}"#,
            ),
            (r#"{"msg":"authorization: Basic dXNlcg==","x":1}"#, r#"{"msg":"authorization: XXX","x":1}"#),
            (r#"curl -H "Authorization: Basic dXNlcg==" "x""#, r#"curl -H "Authorization: XXX" "x""#),
        ] {
            redacted(text, expected);
        }
    }

    #[test]
    fn secrets_of_different_kinds_are_found_close_together() {
        for (text, expected) in [
            ("redis://:hedgehog@cache, token: abc", "redis://:XXX@cache, token: XXX"),
            ("4111111111111111, token: abc, redis://:hedgehog@c", "XXX, token: XXX, redis://:XXX@c"),
            ("token: abc, card 4111111111111111", "token: XXX, card XXX"),
            ("AKIAIOSFODNN7EXAMPLE, password=abc, 4111111111111111", "XXX, password=XXX, XXX"),
        ] {
            redacted(text, expected);
        }
    }

    #[test]
    fn shapes_are_found_without_a_name() {
        for (text, expected) in [
            ("got Bearer mF_9.B5f-4.1JqM from", "got Bearer XXX from".to_owned()),
            ("basic dXNlcjpodW50ZXIy", "basic XXX".to_owned()),
            ("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl.", "a XXX".to_owned()),
            ("paid with 4111 1111 1111 1111 123", "paid with XXX 123".to_owned()),
            ("7 4111-1111-1111-1111, ok", "7 XXX, ok".to_owned()),
            ("postgres://app:hunter2@db:5432/x", "postgres://app:XXX@db:5432/x".to_owned()),
            ("postgres://app:hun/t@r2@db/x", "postgres://app:XXX@db/x".to_owned()),
            ("redis://:hunter2@db", "redis://:XXX@db".to_owned()),
            ("a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b", "a XXX b".to_owned()),
            ("a -----BEGIN PRIVATE KEY-----\nMII-E", "a XXX".to_owned()),
            ("AKIAIOSFODNN7EXAMPLE.", "XXX.".to_owned()),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "XXX".to_owned()),
            ("xoxb-123456789012-abcdef", "XXX".to_owned()),
        ] {
            redacted(text, &expected);
        }
    }

    #[test]
    fn a_secret_at_the_end_of_a_cut_text_is_replaced() {
        let rules = Redact::new().values().replacement("XXX").rules().expect("rules");
        for text in [
            "password: \"hunter",
            "Bearer ab",
            "basic dXNl",
            "eyJhbG",
            "4111 1111 11",
            "redis://:hunt",
            "ghp_16C7",
            "AKIAIO",
            "-----BEGIN PRIVATE KEY-----\nMII",
            "password: Secret { inner: \"hunt",
        ] {
            let found = scan(&rules, text, true).unwrap_or_else(|| panic!("{text}"));
            assert!(found.ends_with("XXX") || found.ends_with("\""), "{text}: {found}");
        }
    }

    #[test]
    fn only_long_secrets_show_their_last_four() {
        let rules = Redact::new().values().last_four().rules().expect("rules");
        let last = |text| scan(&rules, text, false).expect("found");
        assert_eq!(last("card 4111111111111111"), "card …1111");
        assert_eq!(last("ghp_16C7e42F292c6912E7710c838347Ae178B4a"), "…8B4a");
        assert_eq!(last("redis://:hunter2hunter2hunter2hunter2@db"), "redis://:<redacted>@db");
        assert_eq!(last("Bearer mF_9.B5f"), "Bearer <redacted>");
    }

    /// Each byte is looked at a bounded number of times, whatever the text.
    #[test]
    fn the_time_is_linear_in_the_text() {
        let rules = Redact::new().values().rules().expect("rules");
        let pieces = [
            "eyJ",
            "eyJa.",
            "://a:b",
            "://a:b/",
            "password=",
            "password:\"",
            "password: (",
            "{\"password\":[",
            "\\\"",
            "\\",
            "Bearer ",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN ",
            "--password ",
            "4111 ",
            "4-",
            "github_pat_",
            "(\"",
            "[[\"password\",",
            "Password {",
            "<password>",
            "authorization: ",
            "authorization:",
            "password:'",
            "a:",
            "a.b=",
            "{\"a\":",
            "[",
            "(\"password\",(",
            "token: token: ",
            "secret: b",
            "Basic a",
            "authorization: a=\"b",
            "cookie: a=\"b\n",
            "password='a''",
            "<a:token b",
            "<a token>",
            "SG.a.",
            "hvs.",
            "<password>\"",
            "<token><![CDATA[",
            "<token><![CDATA[]",
            "password: |\n  ",
            "password: >\\n  \\",
            "password=\"\"\"",
            "password=\"\"\"a\"\"",
            "password=\\\"\\\"\\\"",
            "password: \", ",
            "password: \",x\"",
            "cookie: a:\"\\",
            "cookie: a=\"b\";\"x",
            "sig=/'",
            "?sig='",
            "password: ')",
            "password: \\\",",
            "password: &&",
            "*password**: ** ",
            "\x1b[1m",
            "\x1b[1mtoken\x1b[0m=",
            "\\u{1b}[0mtoken:",
            "[0m",
            "m:",
            "name=\"password\"",
            "name=\"password\", value=",
            "name=\"password\"\r\n\r\n-",
            "name: password\\n\\n",
            "API key: ",
            "api key:",
            "user[\"password\"]=",
            "%5Dtoken%5D=",
            "-token ",
            "-token \"",
            "&sig=a",
            "Token { value: \"",
            "4111.",
            "4111\u{a0}",
            "12345678:AA",
            "Token(",
            "Token(1",
            "auth=(",
            "auth: \"",
            "token(REDACTED ",
            "password: (REDACTED ",
            "password:\n\"",
            "password is ",
            "password \"",
            "| token |",
            "{value: \"x\", name: \"password\"",
            "value=name=password ",
            "authorization: request denied ",
            "&lt;password&gt;",
            "password&gt;",
            "%22token%22%3A%22",
            "a@",
            "//a:b@",
            "curl -u ",
            "xoxb-",
            "SG.A",
            "Signature=",
            "://hooks.slack.com/services/",
            "sk-",
            "password for a ",
            "password for a: ",
            "password is now ",
            "login code: ",
            "is your login code ",
            "LOGIN a ",
            "PASS a1",
            "AUTH PLAIN ",
            "auth=('",
            "auth=(\"a\", \"",
            "\"auth\" \"",
            "echo a | sudo -S ",
            "crypt('",
            "key: a1",
            "PRAGMA key='",
            "{\"kty\":\"k\"",
            "IDENTIFIED a '",
            "password....",
            ">password</a><b>",
            "<password value=\"",
            "reset-password/a1",
            "curl -su a:",
            "recovery codes: 1a, ",
            "password: !a |\n  ",
            "token: []a{",
            "token: string(1) \"",
            "LS0tLS1CRUdJTi",
            "LS0tLS1CRUdJTiBDRVJU",
            "::add-mask::",
        ];
        let steps = |text: &str| {
            bounds::STEPS.take();
            scan(&rules, text, true);
            bounds::STEPS.take()
        };
        for piece in pieces {
            let [small, large] = [1 << 12, 1 << 15].map(|bytes| steps(&piece.repeat(bytes / piece.len())));
            assert!(large <= 10 * small.max(1 << 12), "{piece}: {small} steps, {large} for 8 times the text");
        }
    }

    #[test]
    fn a_code_before_its_name_is_found_whatever_ends_the_sentence() {
        let rules = Redact::new().values().rules().expect("rules");
        for end in ["", ".", "!", "?", ",", ")", " #2", "|", "+"] {
            let text = format!("748291 is your login code{end}");
            let expected = format!("<redacted> is your login code{end}");
            assert_eq!(scan(&rules, &text, false).as_deref(), Some(expected.as_str()));
            assert!(!is_harmless(&rules, &text), "{text}");
        }
    }

    /// Returns whether a text is judged harmless, joined with others.
    fn is_harmless(rules: &Rules, text: &str) -> bool {
        let joined = format!("\0\0\0\0{text}\0\0\0\0password");
        rules
            .first_secret(joined.as_bytes(), |at| (4..=text.len() + 4).contains(&at).then_some((4, text.as_bytes())))
            .is_none()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        /// A match at any byte is one at an anchor, too: the walk leaves out nothing that holds a secret.
        #[test]
        fn no_match_is_missed_between_the_anchors(pieces in prop::collection::vec(piece(), 1..24)) {
            let text = pieces.concat();
            let rules = Redact::new().name("pin").name("k").values().rules().expect("rules");
            let bytes = text.as_bytes();
            let plain = |at: usize| {
                let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
                let kinds = match bytes.get(at) {
                    Some(b'@' | b'A' | b'J') => kind::MARK,
                    _ if is_digit(at) && !at.checked_sub(1).is_some_and(is_digit) => kind::DIGITS,
                    _ => 0,
                };
                let words = kind::NAME | kind::SPECIAL | kind::SCHEME | kind::PREFIX | kind::COMMAND;
                let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
                let words = if at > 0 && is_letter(&bytes[at - 1]) && !bytes.get(at).is_some_and(is_letter) { words } else { 0 };
                [kinds, words].into_iter().any(|kinds| {
                    kinds != 0 && Matcher { rules: &rules, text: bytes, cut: false, jwt_until: 0 }.at_anchor(at, kinds).is_some()
                })
            };
            if (0..=bytes.len()).any(plain) {
                prop_assert!(!is_harmless(&rules, &text), "{text:?}");
            }
        }

        #[test]
        fn a_text_judged_harmless_holds_no_secret(pieces in prop::collection::vec(piece(), 1..7)) {
            let text = pieces.concat();
            let rules = Redact::new().name("pin").name("k").values().rules().expect("rules");
            if !text.starts_with(['{', '[']) && is_harmless(&rules, &text) {
                let found = Scan::default().find(&rules, text.as_bytes(), false, b"", Strings::UNKNOWN);
                prop_assert!(!found, "{text:?}");
            }
        }

        #[test]
        fn any_redacted_text_stays_text_and_holds_the_replacement(text in "[a-zA-Z0-9 :=\"'\\\\(){}\\[\\],.&;<>@/_-]{0,80}", cut: bool) {
            let rules = Redact::new().values().rules().expect("rules");
            if let Some(once) = scan(&rules, &text, cut) {
                prop_assert!(once.contains("<redacted>"));
            }
        }
    }
}

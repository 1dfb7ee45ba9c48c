//! Names of files from values that anyone may have chosen.
//!
//! A name has only `a` to `z`, digits, `-`, `_` and `~`. A value of such characters is its own name, other bytes become
//! `~` and two hex digits. So two values never have the same name, whatever the file system thinks of case, accents,
//! dots or separators, and no name is that of a directory, a device or an option. A long name ends in the hash of its
//! value; `~~` before the hash is in no other name.

use std::fmt::Write;

use super::sha256;

/// A longer name is shortened. With what a rotated file adds to it, a file's name has room for 255 bytes.
const MAX_BYTES: usize = 100;
/// What a shortened name keeps of its value's beginning.
const KEPT_BYTES: usize = 32;

/// Names of devices on Windows, also with an extension.
const DEVICES: [&str; 24] = [
    "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt0",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Returns the name for a value. `default`: a name that no value has.
pub(super) fn file_name(value: &str, default: &str) -> String {
    let is_taken = value == default || value.is_empty() || DEVICES.contains(&value);
    let mut name = String::with_capacity(value.len());
    for (at, byte) in value.bytes().enumerate() {
        let is_plain = byte.is_ascii_lowercase() || byte.is_ascii_digit() || (at > 0 && matches!(byte, b'-' | b'_'));
        if is_plain && !(at == 0 && is_taken) {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "~{byte:02x}");
        }
    }
    if value.is_empty() {
        name.push('~');
    }
    if name.len() > MAX_BYTES {
        name.truncate(KEPT_BYTES);
        name.push_str("~~");
        name.push_str(&sha256::hex(value.as_bytes()));
    }
    name
}

/// Returns whether a name can be that of the lines without a value: its own name, and short.
pub(super) fn is_plain(name: &str) -> bool {
    name.len() <= MAX_BYTES && file_name(name, "") == name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_value_is_its_name_and_any_other_is_escaped() {
        for (value, name) in [
            ("acme", "acme"),
            ("acme-2_eu", "acme-2_eu"),
            ("Acme", "~41cme"),
            ("../../etc/passwd", "~2e~2e~2f~2e~2e~2fetc~2fpasswd"),
            ("a\0b", "a~00b"),
            ("a.log", "a~2elog"),
            (".", "~2e"),
            ("", "~"),
            ("~", "~7e"),
            ("-rf", "~2drf"),
            ("é", "~c3~a9"),
            ("con", "~63on"),
            ("none", "~6eone"),
            ("c:d", "c~3ad"),
        ] {
            assert_eq!(file_name(value, "none"), name, "{value:?}");
        }
        let long = file_name(&"x".repeat(500), "none");
        assert!(long.len() == KEPT_BYTES + 2 + 64 && long.starts_with("xxxx") && long.contains("~~"), "{long}");
        assert_ne!(long, file_name(&"x".repeat(501), "none"));
    }

    #[test]
    fn a_default_is_a_plain_name() {
        assert!(is_plain("none") && is_plain("default") && is_plain("a-b"));
        assert!(!["", "A", "a.b", "../x", "con", "-x", "_x"].into_iter().any(is_plain));
    }

    proptest! {
        /// No two values share a file, on any file system, and no name leaves its directory.
        #[test]
        fn any_values_have_different_safe_names(values in proptest::collection::vec(any_value(), 1..40)) {
            let mut values_of = BTreeMap::new();
            for value in &values {
                let name = file_name(value, "none");
                prop_assert!((1..=MAX_BYTES).contains(&name.len()), "{name}");
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_~".contains(&byte)));
                prop_assert!(!DEVICES.contains(&&*name) && name != "none" && !name.starts_with(['-', '_']));
                if let Some(other) = values_of.insert(name, value) {
                    prop_assert_eq!(other, value);
                }
            }
        }
    }

    /// Values near each other and near the escapes.
    fn any_value() -> impl Strategy<Value = String> {
        prop_oneof![
            "[aA~./\\\\_-]{0,4}",
            "(~[0-9a-f]{2}|~~|[a-c]){0,3}",
            "(con|CON|nul|none|None|~6eone)",
            ".{0,6}",
            "[xX]{98,104}",
            "[é/]{30,60}",
        ]
    }
}

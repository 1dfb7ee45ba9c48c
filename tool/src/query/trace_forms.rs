//! How the id of a trace may be written.

/// Returns an id as it was given, and as hex digits if it is a decimal number: Datadog writes those, and lines are compared by
/// their hex digits.
pub(crate) fn trace_forms(id: &str) -> impl Iterator<Item = String> {
    let is_decimal = id.bytes().all(|byte| byte.is_ascii_digit());
    let number = id.parse::<u64>().ok().filter(|_| is_decimal);
    std::iter::once(id.to_owned()).chain(number.map(|number| format!("{number:032x}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_has_a_second_form() {
        let forms = |id| trace_forms(id).collect::<Vec<_>>();
        assert_eq!(forms("5871425317362"), ["5871425317362", "0000000000000000000005570c3869f2"]);
        for other in ["", "+5", "5a", "12345678901234567890123456789012", "r-1"] {
            assert_eq!(forms(other), [other]);
        }
    }
}

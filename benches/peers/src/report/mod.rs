//! What a run says: tables, ratios and a picture.

mod ratios;
mod svg;
mod table;

pub use ratios::ratios;
pub use svg::svg;
pub use table::tables;

/// `12,345`, and decimals only where they say something.
fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        let decimals = if value.abs() < 1.0 { 2 } else { 1 };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0.0 { format!("-{grouped}") } else { grouped }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(
            [0.0, 0.664, 2.25, 99.96, 100.4, 1_234_567.8].map(number),
            ["0", "0.66", "2.2", "100.0", "100", "1,234,568"]
        );
        assert_eq!(number(-5_000.0), "-5,000");
    }
}

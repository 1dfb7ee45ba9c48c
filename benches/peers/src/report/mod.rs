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

//! How many secrets `Redact::values` catches in texts as developers log them, and how many harmless texts it changes.
//!
//! `tests/corpus/secrets.txt` and `harmless.txt` guide the rules. `held_out_secrets.txt` and `held_out_harmless.txt` were
//! written after the rules were frozen, and no rule was changed for them: `docs/secrets.md` prints their rates. A change
//! of a rule for one of them moves all of them to the texts that guide, and needs new ones.

use spanline::Redact;
use tracing::info;

use crate::support::stage::{fixed, lines_of};

/// A text, and the parts of it that are secret.
struct Text {
    text: String,
    secrets: Vec<String>,
}

/// Reads a corpus: see the first lines of `secrets.txt` for its signs.
fn corpus(file: &str) -> Vec<Text> {
    let line = |line: &str| {
        let line = line.replace('⏎', "\n").replace('⇥', "\t").replace('␛', "\x1b").replace('~', "");
        let mut parts = line.split(['«', '»']);
        let mut text = parts.next().unwrap_or_default().to_owned();
        let mut secrets = Vec::new();
        while let (Some(secret), Some(behind)) = (parts.next(), parts.next()) {
            text.extend([secret, behind]);
            secrets.push(secret.to_owned());
        }
        Text { text, secrets }
    };
    file.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

/// Logs the texts as messages and as fields, and returns what the log shows of each.
fn shown(texts: &[Text]) -> Vec<[String; 2]> {
    let lines = lines_of(fixed().redact(Redact::new().values()), || {
        texts.iter().for_each(|Text { text, .. }| info!(text, "{text}"));
    });
    assert_eq!(lines.len(), texts.len());
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    lines.iter().map(|line| [text(&line["message"]), text(&line["text"])]).collect()
}

/// Returns whether five characters of a secret are shown that the rest of the text does not have.
fn leaks(Text { text, secrets }: &Text, shown: &str) -> bool {
    let shown = shown.replace("<redacted>", "\0");
    let rest = secrets.iter().fold(text.clone(), |rest, secret| rest.replace(secret, "\0"));
    secrets.iter().any(|secret| {
        let chars: Vec<char> = secret.chars().collect();
        let mut pieces = chars.windows(chars.len().min(5)).map(|piece| piece.iter().collect::<String>());
        pieces.any(|piece| shown.contains(&piece) && !rest.contains(&piece))
    })
}

/// Prints the texts of a corpus that `is_wrong` finds, and returns their share in percent.
fn share(what: &str, file: &str, least: usize, is_wrong: impl Fn(&Text, &str) -> bool) -> f64 {
    let texts = corpus(file);
    assert!(texts.len() >= least, "{what}: {} texts", texts.len());
    let wrong: Vec<_> = texts
        .iter()
        .zip(shown(&texts))
        .filter(|(text, shown)| shown.iter().any(|shown| is_wrong(text, shown)))
        .map(|(text, [shown, _])| format!("  {:?} is shown as {shown:?}", text.text))
        .collect();
    let share = 100.0 * wrong.len() as f64 / texts.len() as f64;
    println!("{what}: {} of {}, {share:.1} %", wrong.len(), texts.len());
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    share
}

#[test]
fn most_secrets_are_caught_and_few_harmless_texts_change_also_in_texts_that_no_rule_was_made_for() {
    let missed = |file, what, least| share(what, file, least, leaks);
    let changed = |file, what, least| share(what, file, least, |text, shown| shown != text.text);
    let secrets = missed(include_str!("../../corpus/secrets.txt"), "secrets missed", 800);
    let harmless = changed(include_str!("../../corpus/harmless.txt"), "harmless texts changed", 800);
    let held_out = missed(include_str!("../../corpus/held_out_secrets.txt"), "held-out secrets missed", 150);
    let held_out_harmless =
        changed(include_str!("../../corpus/held_out_harmless.txt"), "held-out harmless texts changed", 150);
    assert!(secrets <= 2.5 && harmless <= 1.0);
    assert!(held_out <= 5.2 && held_out_harmless <= 1.5);
}

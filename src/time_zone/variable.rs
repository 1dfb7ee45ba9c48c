//! The variable `TZ`: whether it names a time zone.
//!
//! A `TZ` that chrono cannot read counts as unset there: local times then silently follow the system's zone, or UTC. This
//! module reads `TZ` as chrono does: as a file below a zoneinfo directory, or else as a POSIX rule.

use std::env::VarError;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::advice::{nearest, quoted};

/// Where chrono looks for zones.
const DIRECTORIES: [&str; 4] = ["/usr/share/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo", "/usr/share/lib/zoneinfo"];

/// Names of UTC, which chrono falls back to anyway.
const UTC: [&str; 5] = ["UTC", "GMT", "Etc/UTC", "Etc/GMT", "Z"];

/// Returns a complaint if `TZ` is set and names no time zone.
pub(crate) fn mistake() -> Option<String> {
    if !cfg!(unix) {
        return None;
    }
    let text = match std::env::var("TZ") {
        Ok(text) => text,
        Err(VarError::NotPresent) => return None,
        Err(VarError::NotUnicode(text)) => text.to_string_lossy().into_owned(),
    };
    mistake_in(&text)
}

fn mistake_in(text: &str) -> Option<String> {
    let name = text.strip_prefix(':').unwrap_or(text);
    let is_rule = !text.starts_with(':') && is_rule(text.trim_ascii());
    if text.is_empty() || text == "localtime" || UTC.contains(&name) || find(name).is_some() || is_rule {
        return None;
    }
    let roots: Vec<&str> = DIRECTORIES.into_iter().filter(|root| Path::new(root).is_dir()).collect();
    let advice = match (roots.first(), roots.iter().find_map(|root| nearest_zone(Path::new(root), name))) {
        (_, Some(zone)) => format!("did you mean {}?", quoted(&zone)),
        (Some(root), None) => {
            format!("expected a name below {root}, such as `Europe/Berlin`, or a rule, such as `CET-1`")
        }
        (None, None) => "this system has no zones; install `tzdata`, or set a rule, such as `CET-1`".to_owned(),
    };
    Some(format!(
        "TZ is {}, which is not a time zone: local times are those of the system's zone, or UTC; {advice}",
        quoted(text)
    ))
}

/// Returns the file of a zone.
fn find(name: &str) -> Option<PathBuf> {
    // Joining an absolute path replaces the directory.
    DIRECTORIES.into_iter().map(|root| Path::new(root).join(name)).find(|path| is_zone(path))
}

fn is_zone(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"TZif"
}

/// Returns the zone below `root` whose name is nearest, one part after the other.
fn nearest_zone(root: &Path, name: &str) -> Option<String> {
    let mut path = root.to_owned();
    let mut zone = Vec::new();
    for part in name.split('/') {
        let names: Vec<String> =
            fs::read_dir(&path).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        let part = nearest(part, 2, names.iter().map(|name| (name.as_str(), name.as_str())))?;
        path.push(part);
        zone.push(part.to_owned());
    }
    is_zone(&path).then(|| zone.join("/"))
}

/// Returns whether the text is a POSIX rule that chrono reads, such as `CET-1` or `CET-1CEST,M3.5.0,M10.5.0/3`.
fn is_rule(text: &str) -> bool {
    let Some(rest) = after_name(text).and_then(after_offset) else { return false };
    if rest.is_empty() {
        return true;
    }
    let Some(rest) = after_name(rest) else { return false };
    let rest = if rest.starts_with(',') { Some(rest) } else { after_offset(rest) };
    let days = rest.and_then(|rest| rest.strip_prefix(',')).and_then(|rest| rest.split_once(','));
    days.is_some_and(|(start, end)| is_day(start) && is_day(end))
}

/// Returns what follows the name of a zone: three letters or more, or anything in angle brackets.
fn after_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        let (name, rest) = quoted.split_once('>')?;
        let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-');
        return (name.len() >= 3 && name.chars().all(is_name)).then_some(rest);
    }
    let rest = text.trim_start_matches(|char: char| char.is_ascii_alphabetic());
    (text.len() - rest.len() >= 3).then_some(rest)
}

/// Returns what follows an offset: `-1`, `+05:30`, `5:30:00`.
fn after_offset(text: &str) -> Option<&str> {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let rest = text.trim_start_matches(|char: char| char.is_ascii_digit() || char == ':');
    is_time(text.strip_suffix(rest)?).then_some(rest)
}

/// Returns whether the text is a time of up to three numbers, as in `3:00`.
fn is_time(text: &str) -> bool {
    text.split(':').count() <= 3 && text.split(':').all(|part| is_number(part) && part.len() <= 3)
}

/// Returns whether the text is a day of change, with or without its time: `M3.5.0`, `J60/2`, `300`.
fn is_day(text: &str) -> bool {
    let (day, time) = text.split_once('/').unwrap_or((text, "2"));
    let day = match day.strip_prefix('M') {
        Some(day) => day.split('.').count() == 3 && day.split('.').all(is_number),
        None => is_number(day.strip_prefix('J').unwrap_or(day)),
    };
    day && is_time(time.strip_prefix(['+', '-']).unwrap_or(time))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_told_from_a_typing_mistake() {
        for rule in [
            "CET-1",
            "UTC0",
            "EST5EDT,M3.2.0,M11.1.0",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "<+0530>-5:30",
            "NZST-12NZDT-13,J60/2,300/-3:00",
            "  UTC+3  ",
        ] {
            assert!(is_rule(rule.trim_ascii()) && mistake_in(rule).is_none(), "{rule}");
        }
        for text in
            ["Europe/Berln", "CET", "EST5EDT_", "CE-1", "CET-", "CET-1CEST", "CET-1CEST,M3.5.0", "<+0>5", "1", "+1"]
        {
            assert!(!is_rule(text), "{text}");
        }
    }

    #[test]
    fn what_stands_for_no_zone_is_a_mistake() {
        for good in ["", "localtime", "UTC", ":UTC", "Etc/UTC", "GMT"] {
            assert_eq!(mistake_in(good), None, "{good}");
        }
        for bad in ["Europe/Berln", ":CET-1x", "/nowhere", "../../../etc/passwd", "Mars/Phobos", "\u{1b}[2J"] {
            let text = mistake_in(bad).unwrap_or_else(|| panic!("{bad} is no zone"));
            assert!(text.contains("is not a time zone") && !text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn the_nearest_zone_is_found_part_by_part() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("Europe")).unwrap();
        fs::write(root.path().join("Europe/Berlin"), b"TZif2").unwrap();
        fs::write(root.path().join("zone.tab"), b"# no zone").unwrap();
        for name in ["Europe/Berln", "europe/berlin", "Eurpoe/Berlin"] {
            assert_eq!(nearest_zone(root.path(), name).as_deref(), Some("Europe/Berlin"), "{name}");
        }
        for name in ["Mars/Phobos", "Europe", "zone.tab", "Europe/Berlin/x"] {
            assert_eq!(nearest_zone(root.path(), name), None, "{name}");
        }
    }
}

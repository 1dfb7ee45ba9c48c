//! The help page: the commands in groups.

use std::fmt::Write;

use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// The groups of commands. Some commands are not in each build.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Read", &["find", "trace", "stats", "hist", "cat", "ls", "open", "index"]),
    ("Live", &["follow", "ps", "metrics"]),
    ("Check", &["verify", "keygen", "config", "doctor"]),
    ("Receive", &["collect", "load"]),
    ("Control", &["level", "flush", "rotate", "reopen", "reload", "release"]),
    ("This tool", &["completions", "man", "help"]),
];

/// What stands for those that are in no group.
const OTHERS: &str = "Others";

/// Returns the command line with a help page that lists the commands in groups.
pub(crate) fn grouped(cli: Command) -> Command {
    let mut commands: Vec<(&str, String)> =
        cli.get_subcommands().map(|command| (command.get_name(), about(command))).collect();
    commands.push(("help", "Print this page, or that of a command".to_owned()));
    let width = commands.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut list = String::new();
    for (title, names) in GROUPS.into_iter().chain([(OTHERS, [].as_slice())]) {
        let is_other = |name: &str| title == OTHERS && !GROUPS.iter().any(|(_, names)| names.contains(&name));
        let mut rows: Vec<_> = commands.iter().filter(|(name, _)| names.contains(name) || is_other(name)).collect();
        rows.sort_by_key(|(name, _)| names.iter().position(|known| known == name));
        if !rows.is_empty() {
            let _ = write!(list, "\n{title}:\n");
        }
        for (name, about) in rows {
            let _ = writeln!(list, "  {name:width$}  {about}");
        }
    }
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{list}\nOptions:\n{{options}}{{after-help}}");
    // Once for each process.
    cli.help_template(&*template.leak())
}

/// Returns the command that was asked for, if only other builds have it.
pub(crate) fn left_out(answer: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(asked)) = answer.get(ContextKind::InvalidSubcommand) else { return None };
    GROUPS.iter().flat_map(|(_, names)| *names).find(|name| *name == asked).copied()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::commands::Args;

    #[test]
    fn each_command_is_in_one_group() {
        let cli = Args::command();
        for command in cli.get_subcommands() {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&command.get_name())).count();
            assert_eq!(groups, 1, "{}", command.get_name());
        }
        let mut cli = grouped(cli);
        let help = cli.render_help().to_string();
        assert!(!help.contains("Others:"), "{help}");
        for command in cli.get_subcommands() {
            assert!(help.contains(&format!("  {} ", command.get_name())), "{help}");
        }
    }
}

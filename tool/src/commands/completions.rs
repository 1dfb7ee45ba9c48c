//! `spanline completions`: what a shell needs to complete the command line.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::Args as CommandLine;

const EXAMPLES: &str = "\
Examples:
  spanline completions bash > ~/.local/share/bash-completion/completions/spanline
  spanline completions zsh > ~/.zfunc/_spanline
  spanline completions fish > ~/.config/fish/completions/spanline.fish";

/// Print the completions of a shell
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, output: &mut impl Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "spanline", &mut script);
    output.write_all(&script)
}

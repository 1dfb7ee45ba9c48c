//! The options that say where keys are.

use std::path::{Path, PathBuf};

use spanline::sealed::Key;
use zeroize::Zeroizing;

use super::source::Source;
use crate::report::Report;

/// What age files begin with, such as a key file that is sealed with a passphrase.
const AGE: &[u8] = b"age-encryption.org/";
/// What they begin with if they are text.
const ARMORED: &[u8] = b"-----BEGIN AGE ";

/// Each may be given several times.
#[derive(clap::Args)]
#[command(next_help_heading = "Keys, each option as often as needed")]
pub(crate) struct KeyArgs {
    /// Read keys from a file of `spanline keygen` or `age-keygen`; `-` for stdin
    #[arg(long, value_name = "KEYFILE")]
    key: Vec<PathBuf>,
    /// Read keys from an open descriptor
    #[arg(long, value_name = "N")]
    key_fd: Vec<u32>,
    /// Take keys from a variable
    #[arg(long, value_name = "NAME")]
    key_env: Vec<String>,
    /// Take keys from what a command prints; `sh -c` runs it
    #[arg(long, value_name = "COMMAND")]
    key_command: Vec<String>,
    /// Read the passphrase of a log or of a key file from an open descriptor
    #[arg(long, value_name = "N")]
    passphrase_fd: Vec<u32>,
    /// Take the passphrase from a variable
    #[arg(long, value_name = "NAME")]
    passphrase_env: Vec<String>,
    /// Take the passphrase from what a command prints
    #[arg(long, value_name = "COMMAND")]
    passphrase_command: Vec<String>,
}

impl KeyArgs {
    /// Returns the key that opens what any of the keys opens; `None` if there is no option. Otherwise what is wrong.
    pub(crate) fn key(&self, report: &Report) -> Result<Option<Key>, String> {
        let passphrases = sources(&[], &self.passphrase_fd, &self.passphrase_env, &self.passphrase_command)
            .map(|source| source.passphrase(report))
            .collect::<Result<Vec<_>, _>>()?;
        let files = sources(&self.key, &self.key_fd, &self.key_env, &self.key_command);
        let mut keys = files.map(|source| parse(&source, &passphrases, report)).collect::<Result<Vec<_>, _>>()?;
        // For logs that are sealed with a passphrase.
        keys.extend(passphrases.iter().map(|passphrase| Key::passphrase(passphrase.as_str())));
        Ok(if keys.is_empty() { None } else { Some(Key::any(keys)) })
    }

    /// Returns whether a key is read from stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.key.iter().any(|path| path == Path::new("-"))
    }
}

fn sources(
    files: &[PathBuf],
    descriptors: &[u32],
    variables: &[String],
    commands: &[String],
) -> impl Iterator<Item = Source> {
    let files = files.iter().cloned().map(Source::File);
    let descriptors = descriptors.iter().copied().map(Source::Descriptor);
    let variables = variables.iter().cloned().map(Source::Variable);
    let commands = commands.iter().cloned().map(Source::Command);
    files.chain(descriptors).chain(variables).chain(commands)
}

/// Returns the keys in a key file.
fn parse(source: &Source, passphrases: &[Zeroizing<String>], report: &Report) -> Result<Key, String> {
    let bytes = source.read(report)?;
    if bytes.starts_with(ARMORED) {
        return Err(format!("{source}: it is armored; pass `--key-command 'age --decrypt FILE'`"));
    }
    if bytes.starts_with(AGE) {
        let advice = "pass `--passphrase-fd`, `--passphrase-env` or `--passphrase-command`";
        let mut why = format!("its file is sealed with a passphrase; {advice}");
        for passphrase in passphrases {
            match Key::with_passphrase(&bytes, passphrase.as_str()) {
                Ok(key) => return Ok(key),
                Err(error) => why = error.to_string(),
            }
        }
        return Err(format!("{source}: {why}"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{source}: expected a key file, found other bytes"))?;
    Key::parse(text).map_err(|error| format!("{source}: {error}"))
}

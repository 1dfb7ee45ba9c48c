//! `spanline keygen`: keys for sealed logs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use spanline::sealed::{Key, Signer};

use crate::escape::escaped;
use crate::report::Report;
use crate::sealed::Source;

const EXAMPLES: &str = "\
Examples:
  spanline keygen -o auditor.key       for those who read; `RollingFile::seal_to` takes what it prints
  spanline keygen --public auditor.key
  spanline keygen --signer -o svc.key  for the service, if `verify` shall tell its chains from those of others

Exit status:
  0  the key was made or printed
  1  something could not be read or written; stderr says what
  2  the command line is wrong";

/// Make a key for sealed logs
///
/// Writes a file as `age-keygen` does, which only its owner can read, and prints the public half on stderr. A service needs
/// that half only. Who has the file can read everything that was sealed for it: keep it away from the service, and keep a
/// copy, because without it nobody can read the log. To protect the file with a passphrase:
/// `spanline keygen | age --passphrase > auditor.key`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Write to this new file; by default, to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the public half of a key file or a signer: recipients, or a verifier; `-` for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "signer"])]
    public: Option<PathBuf>,
    /// Make a signer for `RollingFile::sign_with`; its public half is for `verify --verifier`
    #[arg(long)]
    signer: bool,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    if let Some(file) = &args.public {
        match public(file, report) {
            Ok(names) => names.iter().try_for_each(|name| writeln!(output, "{name}"))?,
            Err(why) => report.failure(&why),
        }
        return Ok(());
    }
    let (text, public) = if args.signer {
        let Some(signer) = report.check(Signer::generate()) else { return Ok(()) };
        let verifier = signer.verifier().to_string();
        let key = signer.to_text();
        (zeroize::Zeroizing::new(format!("# public half: {verifier}\n{}\n", *key)), verifier)
    } else {
        Key::generate()
    };
    match &args.output {
        None => {
            warn_of_shell(report);
            output.write_all(text.as_bytes())?;
            output.flush()?;
        }
        Some(path) => {
            if let Err(error) = create(path, text.as_bytes()) {
                let advice = if error.kind() == ErrorKind::AlreadyExists { "; no key is overwritten" } else { "" };
                report.failure(&format!("create {}: {error}{advice}", escaped(path)));
                return Ok(());
            }
        }
    }
    report.note(&format!("public half: {public}"));
    Ok(())
}

/// Returns the public halves of the keys in a file.
fn public(file: &Path, report: &Report) -> Result<Vec<String>, String> {
    let source = Source::File(file.to_owned());
    let bytes = source.read(report)?;
    if bytes.starts_with(b"age-encryption.org/") {
        return Err(format!(
            "{source}: it is sealed with a passphrase; `age --decrypt FILE | spanline keygen --public -`"
        ));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{source}: expected a key file, found other bytes"))?;
    if let Ok(signer) = Signer::parse(text) {
        return Ok(vec![signer.verifier().to_string()]);
    }
    Key::recipients(text).map_err(|error| format!("{source}: {error}"))
}

/// Warns if the shell has made a file for stdout that others can read.
#[cfg(unix)]
fn warn_of_shell(report: &Report) {
    use std::os::fd::AsFd;
    if let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() {
        crate::sealed::warn_of_readers(&"the file behind stdout", &File::from(stdout), report);
    }
}

#[cfg(not(unix))]
fn warn_of_shell(_: &Report) {}

/// Writes a file that only its owner can read, and which is not there yet.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = options().open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is none.
        let _ = fs::remove_file(path);
    }
    written?;
    sync_directory(path)
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// Makes the file's name durable: a service may seal for this key at once.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

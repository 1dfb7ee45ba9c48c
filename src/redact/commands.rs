//! Commands that take a secret as an argument without a listed name.

use super::bounds::{before, byte, run};
use super::hit::Hit;
use super::matcher::Matcher;
use super::view::begins_word;

/// How far after a command its arguments are searched, in bytes.
const MAX_ARGUMENTS: usize = 256;

/// Where in or after an argument its secret is.
#[derive(Clone, Copy)]
enum Place {
    /// `-p SECRET`
    Next,
    /// `-pSECRET`
    Attached,
    /// `-u user:SECRET`
    AfterColon,
    /// `-U user%SECRET`
    AfterPercent,
}

use Place::{AfterColon, AfterPercent, Attached, Next};

/// Commands, with the arguments that hold a secret.
const COMMANDS: [(&[u8], &[u8], Place); 19] = [
    (b"curl", b"-u", AfterColon),
    (b"curl", b"--user", AfterColon),
    (b"curl", b"--proxy-user", AfterColon),
    (b"curl", b"--oauth2-bearer", Next),
    (b"mysql", b"-p", Attached),
    (b"mysqldump", b"-p", Attached),
    (b"mysqladmin", b"-p", Attached),
    (b"mariadb", b"-p", Attached),
    (b"redis-cli", b"-a", Next),
    (b"sshpass", b"-p", Next),
    (b"docker login", b"-p", Next),
    (b"az login", b"-p", Next),
    (b"mongosh", b"-p", Next),
    (b"ldapsearch", b"-w", Next),
    (b"ldapmodify", b"-w", Next),
    (b"smbclient", b"-U", AfterPercent),
    (b"zip", b"-P", Next),
    (b"openssl enc", b"-k", Next),
    (b"vault login", b"", Next),
];

/// The words with which commands end, as anchors.
pub(super) fn endings() -> impl Iterator<Item = &'static [u8]> {
    COMMANDS.iter().map(|(command, ..)| *command)
}

impl Matcher<'_> {
    /// Matches the secret among the arguments of the command that ends at `end`.
    pub(super) fn command(&self, end: usize) -> Option<Hit> {
        let text = self.text;
        if byte(text, end) != b' ' {
            return None;
        }
        COMMANDS.iter().find_map(|(command, argument, place)| {
            let start = end.checked_sub(command.len())?;
            if text.get(start..end)? != *command || !begins_word(text, start) {
                return None;
            }
            self.argument(end, argument, *place)
        })
    }

    fn argument(&self, end: usize, argument: &[u8], place: Place) -> Option<Hit> {
        let near = self.text.get(..self.text.len().min(end + MAX_ARGUMENTS)).unwrap_or_default();
        let mut at = run(near, end, |byte| byte == b' ');
        while at < near.len() && !matches!(byte(near, at), b'|' | b';' | b'\n') {
            let word = run(near, at, |byte| !byte.is_ascii_whitespace());
            let rest = near.get(at..word)?.strip_prefix(argument);
            let next = run(near, word, |byte| byte == b' ');
            let is_one = match (rest, place) {
                (None, _) => false,
                (Some(rest), Attached) => !rest.is_empty() && !rest.starts_with(b"-"),
                (Some(rest), _) => rest.is_empty() || argument.is_empty(),
            };
            if is_one {
                return match place {
                    Attached => self.word(at + argument.len()),
                    Next if argument.is_empty() => self.word(at),
                    Next => self.word(next),
                    AfterColon => self.after(next, b':'),
                    AfterPercent => self.after(next, b'%'),
                };
            }
            at = next;
        }
        None
    }

    /// The argument at `at`, without its quotes.
    fn word(&self, at: usize) -> Option<Hit> {
        let text = self.text;
        let quote = byte(text, at);
        if matches!(quote, b'\'' | b'"') {
            return self.inside(at + 1, run(text, at + 1, |byte| byte != quote));
        }
        let end = run(text, at, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`'));
        self.inside(at, end).filter(|_| !matches!(quote, b'-' | b'$') && before(text, end) != b':')
    }

    /// What stands after `sign` in the argument at `at`.
    fn after(&self, at: usize, sign: u8) -> Option<Hit> {
        let text = self.text;
        let place = run(text, at, |byte| !byte.is_ascii_whitespace() && byte != sign);
        if byte(text, place) != sign {
            return None;
        }
        let end = run(text, place, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`'));
        self.inside(place + 1, end)
    }
}

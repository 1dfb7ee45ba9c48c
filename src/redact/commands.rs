//! Commands that take a secret as an argument without a listed name.

use super::bounds::{before, byte, run, starts};
use super::hit::Hit;
use super::matcher::Matcher;
use super::view::begins_word;

/// How far after a command its arguments are searched, in bytes.
const MAX_ARGUMENTS: usize = 256;

/// Where in the value of an option the secret is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `-p SECRET`, `-pSECRET`
    All,
    /// `-pSECRET`; a space would begin another argument.
    Attached,
    /// `-u user:SECRET`
    AfterColon,
    /// `-U user%SECRET`
    AfterPercent,
    /// `-u user,SECRET`
    AfterComma,
    /// `-b name=SECRET`
    AfterEquals,
    /// `user/SECRET@host`, without an option.
    AfterSlash,
    /// The argument after this many others, without an option.
    Word(u8),
    /// `echo SECRET | command`
    Piped,
}

use Place::{AfterColon, AfterComma, AfterEquals, AfterPercent, AfterSlash, All, Attached, Piped, Word};

/// Commands, with the options whose value is or holds a secret. Options of one letter may follow others (`-su`), and
/// their value may follow directly.
const COMMANDS: [(&[u8], &[u8], Place); 61] = [
    (b"curl", b"-u", AfterColon),
    (b"curl", b"--user", AfterColon),
    (b"curl", b"-U", AfterColon),
    (b"curl", b"--proxy-user", AfterColon),
    (b"curl", b"--oauth2-bearer", All),
    (b"http", b"-a", AfterColon),
    (b"http", b"--auth", AfterColon),
    (b"https", b"-a", AfterColon),
    (b"mysql", b"-p", Attached),
    (b"mysqldump", b"-p", Attached),
    (b"mysqladmin", b"-p", Attached),
    (b"mysqlimport", b"-p", Attached),
    (b"mysqlcheck", b"-p", Attached),
    (b"mariadb", b"-p", Attached),
    (b"mariadb-dump", b"-p", Attached),
    (b"redis-cli", b"-a", All),
    (b"sshpass", b"-p", All),
    (b"docker login", b"-p", All),
    (b"podman login", b"-p", All),
    (b"az login", b"-p", All),
    (b"oc login", b"-p", All),
    (b"mongo", b"-p", All),
    (b"mongosh", b"-p", All),
    (b"mongodump", b"-p", All),
    (b"mongorestore", b"-p", All),
    (b"ldapsearch", b"-w", All),
    (b"ldapmodify", b"-w", All),
    (b"ldapadd", b"-w", All),
    (b"ldapdelete", b"-w", All),
    (b"ldapwhoami", b"-w", All),
    (b"sqlcmd", b"-P", All),
    (b"bcp", b"-P", All),
    (b"mosquitto_pub", b"-P", All),
    (b"mosquitto_sub", b"-P", All),
    (b"smbclient", b"-U", AfterPercent),
    (b"zip", b"-P", All),
    (b"unzip", b"-P", All),
    (b"plink", b"-pw", All),
    (b"pscp", b"-pw", All),
    (b"openssl enc", b"-k", All),
    (b"vault login", b"", All),
    (b"sqlplus", b"", AfterSlash),
    (b"twine upload", b"-p", All),
    (b"curl", b"-b", AfterEquals),
    (b"curl", b"--cookie", AfterEquals),
    (b"create secret generic", b"--from-literal", AfterEquals),
    (b"ssh-keygen", b"-N", All),
    (b"ssh-keygen", b"-P", All),
    (b"snmpwalk", b"-c", All),
    (b"snmpget", b"-c", All),
    (b"ipmitool", b"-P", All),
    (b"psexec", b"-p", All),
    (b"lftp", b"-u", AfterComma),
    (b"gh secret set", b"--body", All),
    (b"gh secret set", b"-b", All),
    (b"net user", b"", Word(1)),
    (b"htpasswd", b"-nb", Word(1)),
    (b"htpasswd", b"-b", Word(2)),
    (b"wpa_passphrase", b"", Word(1)),
    (b"sudo", b"-S", Piped),
    (b"gh auth login", b"", Piped),
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
        COMMANDS.iter().find_map(|(command, option, place)| {
            let start = end.checked_sub(command.len())?;
            if text.get(start..end)? != *command || !begins_word(text, start) {
                return None;
            }
            match place {
                Piped if starts(text, end + 1, option) => self.piped(start, false),
                Piped => None,
                _ => self.argument(end, option, *place),
            }
        })
    }

    fn argument(&self, end: usize, option: &[u8], place: Place) -> Option<Hit> {
        let near = self.text.get(..self.text.len().min(end + MAX_ARGUMENTS)).unwrap_or_default();
        let mut at = run(near, end, |byte| byte == b' ');
        while at < near.len() && !matches!(byte(near, at), b'|' | b';' | b'\n') {
            let word = run(near, at, |byte| !byte.is_ascii_whitespace());
            let next = run(near, word, |byte| byte == b' ');
            let value = option_end(near.get(at..word)?, option).map(|end| at + end);
            match value {
                Some(value) if place == Attached => return if value < word { self.word(value) } else { None },
                Some(value) => {
                    let is_next = value == word || (matches!(place, Word(_)) && !option.is_empty());
                    return self.part(if is_next && !option.is_empty() { next } else { value }, place);
                }
                None => at = next,
            }
        }
        None
    }

    /// The secret in the value of an option.
    fn part(&self, at: usize, place: Place) -> Option<Hit> {
        match place {
            All | Attached | Piped => self.word(at),
            AfterComma => self.after(at, b','),
            AfterEquals => self.after(at, b'='),
            Word(count) => {
                let text = self.text;
                let blank = |byte: u8| byte == b' ';
                let at = (0..count).fold(at, |at, _| run(text, run(text, at, |byte| !blank(byte)), blank));
                self.word(at).filter(|_| !matches!(byte(text, at), b'/' | b'*'))
            }
            AfterColon => self.after(at, b':'),
            AfterPercent => self.after(at, b'%'),
            AfterSlash => self.after(at, b'/').map(|hit| {
                let end = run(self.text.get(..hit.end).unwrap_or_default(), hit.start, |byte| byte != b'@');
                Hit { end, ..hit }
            }),
        }
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

/// Returns where the value of an option begins in a word; at its end if it follows.
fn option_end(word: &[u8], option: &[u8]) -> Option<usize> {
    match (option, word) {
        ([], [b'-', ..]) => None,
        ([], _) => Some(0),
        ([b'-', letter], [b'-', letters @ ..]) if !letters.starts_with(b"-") => {
            // A value ends the options of one letter: `-u` in `-Hx-u` is none.
            let at = letters.iter().position(|byte| byte == letter)?;
            let are_flags = letters.get(..at)?.iter().all(|byte| FLAGS.contains(byte));
            are_flags.then_some(at + 2)
        }
        _ if word == option => Some(word.len()),
        _ => word.strip_prefix(option).filter(|rest| rest.starts_with(b"=")).map(|_| option.len() + 1),
    }
}

/// Options of one letter that take no value, in the commands above.
const FLAGS: &[u8] = b"bdfgijklnqrstvxyBINRSTVZ0123456789";

//! The setting [`Redact`]: which names are secret, and whether texts are scanned.

use std::sync::Arc;

use super::names::{self, SecretNames};
use super::rules::Rules;

/// The default replacement.
const REPLACEMENT: &str = "<redacted>";

/// Configures redaction: fields by their name, and secrets in texts by their shape.
///
/// The default is [`Redact::new`]: the values of fields with one of the [names below](Self::new) are replaced by
/// `<redacted>` when they are logged, and so are members of nested JSON. [`values`](Self::values) also scans texts. [The page on
/// secrets](crate::docs::secrets) says what is found, what cannot be found, and what it costs.
///
/// # Names
/// Case does not matter, and `api_key`, `api-key`, `api.key`, `apiKey` and `apikey` are equal. A name matches itself
/// and every name that ends with it at the start of a word: `pin` matches `pin`, `card_pin`, `card.pin` and `cardPin`,
/// but not `spin` or `pin_count`. `*` matches any text, and then separators count: `*_token`,
/// `http.request.header.*`. In nested JSON, a name is matched against the whole path: `card.number` matches
/// `payload.card.number`. Trailing digits are ignored: `password2`. Booleans are never replaced
/// (`has_password = true`).
///
/// # Examples
/// ```
/// use spanline::sink::Memory;
/// use spanline::{Output, Redact};
/// use tracing_subscriber::prelude::*;
///
/// let memory = Memory::new();
/// let redact = Redact::new().name("iban").keep("page_token").values();
/// let (layer, guard) = spanline::builder().redact(redact).output(Output::new(memory.clone())).build()?;
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     tracing::info!(user_password = "hunter2", page_token = "p-2", "connecting to postgres://app:hunter2@db/orders");
/// });
/// drop(guard);
/// assert!(memory.text().contains(r#""message":"connecting to postgres://app:<redacted>@db/orders""#));
/// assert!(memory.text().contains(r#""user_password":"<redacted>","page_token":"p-2""#));
/// # Ok::<(), spanline::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does something once it is given to `Builder::redact`"]
pub struct Redact {
    names: Vec<String>,
    keep: Vec<String>,
    values: bool,
    last_four: bool,
    replacement: String,
}

impl Default for Redact {
    fn default() -> Self {
        Self::new()
    }
}

impl Redact {
    /// Redacts fields and members of nested JSON with these names, and does not scan other texts:
    ///
    /// `password`, `passwd`, `passphrase`, `passcode` and `secret`, also at the end of a word without a separator
    /// (`dbpassword`); `token` likewise (`access_token`, `refresh_token`, `id_token`, `csrftoken`; not `token_count`);
    /// these with an `s`; `pass`, `pwd`, `pw`, `pin`, `otp`, `totp`, `psk`, `mnemonic`, `seed_phrase`, `recovery_code`,
    /// `backup_code`, `credential`, `credentials`; `password_hash`, `password_digest`, `password_confirmation`;
    /// `api_key`, `private_key`, `secret_key`, `access_key`, `signing_key`, `encryption_key`, `auth_key`, `master_key`,
    /// `account_key` and these with an `s`; `authorization` (`proxy-authorization`), `bearer`, `jwt`, `cookie`,
    /// `cookies` (`set-cookie`), `csrf`, `xsrf`, `cvv`, `cvc`, `ssn`, `card_number`, `credit_card`, and [a few
    /// others](crate::docs::secrets).
    ///
    /// A number under a plural or `pass` is a count, and shown: `tokens = 1841`.
    pub fn new() -> Self {
        Self { names: names::DEFAULT.map(str::to_owned).to_vec(), ..Self::none() }
    }

    /// Redacts nothing; names that are added form the whole list.
    pub fn none() -> Self {
        Self {
            names: Vec::new(),
            keep: Vec::new(),
            values: false,
            last_four: false,
            replacement: REPLACEMENT.to_owned(),
        }
    }

    /// Adds a name. A name without a letter or digit is ignored.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Adds names.
    pub fn names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// Makes an exception: a field of this name is not secret, whatever the list says.
    ///
    /// The exception matches the whole name, or the last part of a dotted name. It does not match names that end with
    /// it: after `keep("token")`, `access_token` is still secret.
    pub fn keep(mut self, name: impl Into<String>) -> Self {
        self.keep.push(name.into());
        self
    }

    /// Also scans all texts on the worker: messages, errors, the output of `Debug` and `Display`, and nested JSON.
    ///
    /// Finds listed names with what is assigned to them (`password: Some("…")`, `"password":"…"`, `pwd=…`), `Bearer`
    /// and `Basic` credentials, JSON web tokens, card numbers (integers too), the password in a URL, private keys in
    /// PEM, webhooks, URL signatures, and tokens of AWS, GitHub, GitLab, Slack, Stripe, Google, npm and others by their
    /// prefix. Escapes, HTML entities and terminal colours do not hide them.
    ///
    /// Off by default, because it alters texts: a number that looks like a card number is replaced, and so is a word
    /// that only looks like a secret. [The page on secrets](crate::docs::secrets) says how often.
    pub fn values(mut self) -> Self {
        self.values = true;
        self
    }

    /// Shows the last four characters of card numbers, and of tokens of at least 20 characters: `…1111`. Passwords, and
    /// values that are redacted by name, are replaced as a whole.
    pub fn last_four(mut self) -> Self {
        self.last_four = true;
        self
    }

    /// Sets the replacement; the default is `<redacted>`. Quotes, backslashes and control characters are removed from
    /// it, so that it fits into any text.
    pub fn replacement(mut self, text: impl Into<String>) -> Self {
        let text: String = text.into();
        self.replacement =
            text.chars().filter(|char| !matches!(char, '"' | '\'' | '\\') && !char.is_control()).collect();
        self
    }

    /// Adds the default names, or removes them and leaves the others.
    #[cfg(feature = "config")]
    pub(crate) fn default_names(mut self, are_secret: bool) -> Self {
        self.names.retain(|name| !names::DEFAULT.contains(&name.as_str()));
        if are_secret {
            self.names.extend(names::DEFAULT.map(str::to_owned));
        }
        self
    }

    #[cfg(feature = "config")]
    pub(crate) fn scans_values(mut self, scans: bool) -> Self {
        self.values = scans;
        self
    }

    #[cfg(feature = "config")]
    pub(crate) fn shows_last_four(mut self, shows: bool) -> Self {
        self.last_four = shows;
        self
    }

    /// Returns what stands for a secret.
    #[cfg(feature = "sealed")]
    pub(crate) fn shown_replacement(&self) -> &str {
        &self.replacement
    }

    /// Returns the compiled rules; `None` when there is nothing to redact.
    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        let names = SecretNames::new(&self.names, &self.keep);
        let rules = Rules::new(names, self.values, self.last_four, &self.replacement);
        (self.values || !rules.names.is_empty()).then(|| Arc::new(rules))
    }
}

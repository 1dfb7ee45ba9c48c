//! SETTINGS

use std::sync::Arc;

use super::names::{self, SecretNames};
use super::rules::Rules;

/// What stands for a value, unless set.
const REPLACEMENT: &str = "<redacted>";

/// What of a record is secret: fields by their name, and secrets in texts by their shape.
///
/// A log that says nothing about it has [`Redact::new`]: the values of fields with one of the [names
/// below](Self::new) are replaced by `<redacted>` where they are logged. [`values`](Self::values) looks into texts,
/// too. See [the page on secrets](crate::docs::secrets) for what is found, what cannot be, and what it costs.
///
/// # Names
/// Upper and lower case are the same, and so are `api_key`, `api-key`, `api.key`, `apiKey` and `apikey`. A name means
/// itself and every name that ends with it at the beginning of a word: `pin` is `pin`, `card_pin`, `card.pin` and
/// `cardPin`, not `spin` and not `pin_count`. `*` stands for any text, separators then count: `*_token`,
/// `http.request.header.*`. In nested JSON a name is looked for in the whole path: `card.number` is
/// `payload.card.number`. Digits at the end are passed over: `password2`. Truth values are never replaced
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
    /// Fields with these names, and nothing in texts:
    ///
    /// `password`, `passwd`, `passphrase` and `secret`, also at the end of a word without a separator (`dbpassword`);
    /// `token` likewise (`access_token`, `refresh_token`, `id_token`, `csrftoken`; not `tokens`, not `token_count`);
    /// `pwd`, `passwords`, `secrets`, `credential`, `credentials`; `password_hash`, `password_confirmation`;
    /// `api_key`, `private_key`, `secret_key`, `access_key`, `signing_key`, `encryption_key`, `auth_key`, `master_key`,
    /// `account_key` and these with an `s`; `authorization` (`proxy-authorization`), `bearer`, `jwt`, `cookie`, `cookies`
    /// (`set-cookie`), `csrf`, `xsrf`, `otp`, `cvv`, `cvc`, `ssn`, `card_number`, `credit_card`.
    pub fn new() -> Self {
        Self { names: names::DEFAULT.map(str::to_owned).to_vec(), ..Self::none() }
    }

    /// Nothing at all: what is added is the whole list.
    pub fn none() -> Self {
        Self {
            names: Vec::new(),
            keep: Vec::new(),
            values: false,
            last_four: false,
            replacement: REPLACEMENT.to_owned(),
        }
    }

    /// Adds a name. One without a letter or digit is passed over.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Adds names.
    pub fn names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// Makes an exception: a field of this name is no secret, whatever the list says. It means the whole name, or the
    /// last part of a dotted one, and not the names that end with it: `keep("token")` leaves `access_token` a secret.
    pub fn keep(mut self, name: impl Into<String>) -> Self {
        self.keep.push(name.into());
        self
    }

    /// Looks into all texts on the worker, too: in messages, errors, what `Debug` and `Display` made, nested JSON.
    ///
    /// It finds the listed names with what is assigned to them (`password: Some("…")`, `"password":"…"`, `pwd=…`),
    /// `Bearer` and `Basic` credentials, JSON web tokens, card numbers (integers too), the password in a URL, private
    /// keys in PEM, webhooks, signatures of URLs, and tokens of AWS, GitHub, GitLab, Slack, Stripe, Google, npm and the like
    /// by their prefix.
    ///
    /// Opt-in, since it alters texts: prose such as `invalid token: foo` loses a word, and a number that looks like that
    /// of a card is replaced.
    pub fn values(mut self) -> Self {
        self.values = true;
        self
    }

    /// Shows the last four characters of a card number, and of a token of 20 characters at least: `…1111`. Passwords, and
    /// whatever is redacted by name, are replaced as a whole.
    pub fn last_four(mut self) -> Self {
        self.last_four = true;
        self
    }

    /// What stands for a value, `<redacted>` unless set. Quotes, backslashes and control characters are left out: it has
    /// to fit into any text.
    pub fn replacement(mut self, text: impl Into<String>) -> Self {
        let text: String = text.into();
        self.replacement =
            text.chars().filter(|char| !matches!(char, '"' | '\'' | '\\') && !char.is_control()).collect();
        self
    }

    /// Ready for use; `None` when there is nothing to do.
    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        let names = SecretNames::new(&self.names, &self.keep);
        let (values, last_four) = (self.values, self.last_four);
        let rules = Rules { names, values, last_four, replacement: self.replacement.as_str().into() };
        (self.values || !rules.names.is_empty()).then(|| Arc::new(rules))
    }
}

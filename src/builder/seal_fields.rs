//! The setting of sealed fields.

use super::builder::Builder;
use crate::error::Error;
use crate::redact::{Redact, Rules, SecretNames};
use crate::sealed::{self, Recipients};
use crate::sealing::SealedFields;

/// Which fields are sealed, and for whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct SealSettings {
    pub(crate) names: Vec<String>,
    pub(crate) recipients: Option<Recipients>,
}

impl Builder {
    /// Seals the values of fields: only who holds a key of the recipients can read them. `spanline open` and
    /// [`read::open_field`](crate::read::open_field) do.
    ///
    /// In every schema, a text `sealed:v1:…` stands for the value, and the rest of the line stays readable. `names` are those
    /// of fields of events and spans, or dotted paths into nested data. They match as in
    /// [`Redact::name`](crate::Redact::name): `card` also matches `old_card`. The list may be empty: the recipients are also
    /// those of [`sealed`](crate::sealed()). A further call adds names, and its recipients replace the earlier ones.
    ///
    /// The output's worker seals, after redaction: a value that is redacted is not sealed. Many personal data have names that
    /// are redacted by default, such as `ssn`; [`Redact::keep`](crate::Redact::keep) exempts them. Equal values give
    /// different texts. [`Output::unsealed_fields`](crate::Output::unsealed_fields) shows the values in an output. Texts are
    /// not searched: a value within a message is not sealed.
    ///
    /// Recipients that are too many, and a static field with a sealed name, are errors of `init` and `build`.
    ///
    /// # Examples
    /// ```
    /// use spanline::Redact;
    /// use spanline::sealed::Recipients;
    ///
    /// # fn main() -> Result<(), spanline::Error> {
    /// let recipients = Recipients::parse("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")?;
    /// let builder = spanline::builder().redact(Redact::new().keep("ssn")).seal_fields(["card", "user.ssn"], recipients);
    /// # let _ = builder;
    /// # Ok(())
    /// # }
    /// ```
    pub fn seal_fields<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>, recipients: Recipients) -> Self {
        self.secrets.seal.names.extend(names.into_iter().map(Into::into));
        self.secrets.seal.recipients = Some(recipients);
        self
    }

    #[cfg(feature = "config")]
    pub(crate) fn seal_settings(&self) -> SealSettings {
        self.secrets.seal.clone()
    }

    #[cfg(feature = "config")]
    pub(crate) fn seals(mut self, settings: SealSettings) -> Self {
        self.secrets.seal = settings;
        self
    }
}

impl SealSettings {
    /// Returns what the outputs need.
    ///
    /// # Errors
    /// The recipients are too many.
    pub(super) fn fields(&self, redact: &Redact) -> Result<SealedFields, Error> {
        self.check()?;
        Ok(SealedFields {
            names: SecretNames::new(&self.names, &[]),
            recipients: self.recipients.clone(),
            replacement: redact.shown_replacement().to_owned(),
        })
    }

    /// # Errors
    /// The recipients are too many.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.recipients.as_ref().map_or(Ok(()), sealed::check_recipients).map_err(|error| error.of("seal_fields"))
    }

    /// Returns a complaint about names that are redacted.
    pub(super) fn mistake(&self, rules: Option<&Rules>) -> Option<String> {
        let is_redacted = |name: &&String| rules.is_some_and(|rules| rules.is_secret(name));
        let names: Vec<_> = self.names.iter().filter(is_redacted).map(|name| format!("`{name}`")).collect();
        let last = self.names.iter().find(is_redacted)?.rsplit('.').next().unwrap_or_default().escape_debug();
        Some(format!(
            "seal_fields: {} cannot be sealed: values with such names are redacted before; exempt them, such as with \
             `Redact::new().keep(\"{last}\")`",
            names.join(", ")
        ))
    }
}

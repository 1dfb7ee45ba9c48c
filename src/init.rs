//! The shortest way to a log: [`init`].

#[cfg(feature = "config")]
use crate::builder::Builder;
#[cfg(not(feature = "config"))]
use crate::builder::builder;
use crate::control::Guard;
use crate::error::Error;

/// Installs a log with the twelve-factor defaults.
///
/// It writes JSON lines to stdout, or [`Console`](crate::schema::Console) lines if stdout is a terminal. `RUST_LOG`
/// filters them. Without it, INFO and above are logged. With the feature `config`, the file that the variable
/// `SPANLINE_CONFIG` names can set everything else. With the feature `control`, it opens a [control
/// socket](crate::docs::control); the variable `SPANLINE_CONTROL` switches that off.
///
/// The log ends when the guard is dropped: keep it until the end of `main`. If it is not dropped, the log ends with the
/// process; see [`Guard`].
///
/// # Errors
/// A global subscriber or a logger of the `log` crate is already installed, or the file has mistakes.
pub fn init() -> Result<Guard, Error> {
    #[cfg(feature = "config")]
    return Builder::from_env().init();
    #[cfg(not(feature = "config"))]
    {
        let guard = builder().init()?;
        if std::env::var_os("SPANLINE_CONFIG").is_some_and(|path| !path.is_empty()) {
            let text = "SPANLINE_CONFIG has no effect: the program is built without the feature `config` of spanline";
            guard.complain("configuration", text);
        }
        Ok(guard)
    }
}

//! Sinks that are closures, and boxed ones.

use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;

impl<F> Sink for F
where
    F: FnMut(&mut Lines) -> Result<Next, Error> + Send + 'static,
{
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        self(lines)
    }
}

impl Sink for Box<dyn Sink> {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        (**self).write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        (**self).control(control)
    }

    fn profile(&self) -> Profile {
        (**self).profile()
    }
}

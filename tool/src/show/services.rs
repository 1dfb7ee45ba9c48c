//! A colour for each service.

use super::paint::Ink;
use crate::fnv::fnv1a;

/// Services after the first this many share colours.
const COUNT: usize = 10;

/// Gives each service a colour that is the same in each run, unless an earlier service has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Services {
    names: [Option<String>; COUNT],
}

impl Services {
    pub(super) fn ink(&mut self, name: &str) -> Ink {
        let first = usize::try_from(fnv1a(name.bytes()) % COUNT as u64).unwrap_or(0);
        let is_for = |place: &usize| self.names.get(*place).is_some_and(|it| it.as_ref().is_none_or(|it| it == name));
        let place = (first..COUNT).chain(0..first).find(is_for).unwrap_or(first);
        if let Some(free @ None) = self.names.get_mut(place) {
            *free = Some(name.to_owned());
        }
        Ink::Service(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_keeps_a_colour_that_no_other_has() {
        let number = |ink| match ink {
            Ink::Service(number) => number,
            ink => panic!("{ink:?}"),
        };
        let mut services = Services::default();
        let names: Vec<String> = (0..COUNT).map(|number| format!("service {number}")).collect();
        let inks: Vec<usize> = names.iter().map(|name| number(services.ink(name))).collect();
        let mut sorted = inks.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..COUNT).collect::<Vec<_>>());
        for (name, ink) in names.iter().zip(inks).rev() {
            assert_eq!(number(services.ink(name)), ink);
        }
        assert!(number(services.ink("one more")) < COUNT);
    }
}

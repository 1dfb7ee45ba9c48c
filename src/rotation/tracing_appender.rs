//! `tracing-appender`'s rotations as periods.

use tracing_appender::rolling::Rotation;

use super::Period;

impl Period {
    /// Returns the period of a `tracing-appender` rotation; `None` for [`Rotation::NEVER`].
    pub fn from_rotation(rotation: &Rotation) -> Option<Self> {
        [
            (Rotation::MINUTELY, Self::Minutely),
            (Rotation::HOURLY, Self::Hourly),
            (Rotation::DAILY, Self::Daily),
            (Rotation::WEEKLY, Self::Weekly),
        ]
        .into_iter()
        .find_map(|(known, period)| (known == *rotation).then_some(period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_tracing_appender_are_understood() {
        assert_eq!(Period::from_rotation(&Rotation::MINUTELY), Some(Period::Minutely));
        assert_eq!(Period::from_rotation(&Rotation::HOURLY), Some(Period::Hourly));
        assert_eq!(Period::from_rotation(&Rotation::DAILY), Some(Period::Daily));
        assert_eq!(Period::from_rotation(&Rotation::WEEKLY), Some(Period::Weekly));
        assert_eq!(Period::from_rotation(&Rotation::NEVER), None);
    }
}

//! The clock around a single call: the processor's own counter where it is steady, else [`Instant`].
//!
//! Reading it costs a call some nanoseconds; they are measured (`floor-timer`) and not subtracted.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long the counter is compared with the system's clock, once in each process.
const CALIBRATION: Duration = Duration::from_millis(20);

/// Counts ticks and knows how long one is.
#[derive(Clone, Copy)]
pub struct Timer {
    nanos_per_tick: f64,
}

impl Timer {
    pub fn new() -> Self {
        let (begun, ticks) = (Instant::now(), ticks());
        while begun.elapsed() < CALIBRATION {
            std::hint::spin_loop();
        }
        let passed = self::ticks() - ticks;
        Self { nanos_per_tick: begun.elapsed().as_nanos() as f64 / passed as f64 }
    }

    pub fn ticks(self) -> u64 {
        ticks()
    }

    pub fn nanos(self, ticks: u64) -> f64 {
        ticks as f64 * self.nanos_per_tick
    }

    pub fn ticks_in(self, duration: Duration) -> u64 {
        (duration.as_nanos() as f64 / self.nanos_per_tick) as u64
    }
}

#[inline(always)]
fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_steady() {
        // SAFETY: every x86-64 processor has it.
        return unsafe { std::arch::x86_64::_rdtsc() };
    }
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Whether the counter ticks at one rate on all cores, which the system itself relies on then.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn is_steady() -> bool {
    static STEADY: OnceLock<bool> = OnceLock::new();
    *STEADY.get_or_init(|| {
        std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .is_ok_and(|source| source.trim() == "tsc")
    })
}

//! The machine's monotonic clock, and a timer that ends on the microsecond.
//!
//! A leaf module: it imports nothing of the crate. Codecs, analysis and reports have no clock and
//! may not import it.

mod timer;

pub use timer::{PreciseTimer, reduce_timer_slack};

/// Nanoseconds on `CLOCK_MONOTONIC`: one clock for all processes of a machine, so that stamps of a
/// client and a server can be subtracted. About 25 ns a call.
#[inline]
#[must_use]
pub fn now_ns() -> u64 {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC) {
        Ok(time) => {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
            let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
            seconds * 1_000_000_000 + nanoseconds
        }
        // The clock exists on every Linux; zero would only come from a kernel without it.
        Err(_) => 0,
    }
}

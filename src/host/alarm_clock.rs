//! A witness for a core: how often a thread that wants to be woken there at a given time is woken late.
//!
//! Shares of stolen time are counted in ticks of 10 ms, in which a hundred calls can be late. This
//! sleeps on the core itself, beside what is measured there and with no part of it, so that it sees
//! what any timer on that core would have seen. It uses a few microseconds of the core every 2 ms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::placement::pin_self;
use crate::clock::{now_ns, reduce_timer_slack};

/// From one waking to the next.
const EVERY: Duration = Duration::from_millis(2);
/// Fewer wakings say nothing about one in a few hundred.
const FEWEST: u64 = 500;

/// A thread that sleeps and looks how late it wakes, until it is ended or dropped.
#[derive(Debug)]
pub struct AlarmClock {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Wakings>>,
}

/// How often it was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wakings {
    all: u64,
    late: u64,
}

impl AlarmClock {
    /// Begins to sleep on these CPUs, on any if the list is empty; what is woken `late_ns` after its time
    /// counts as late.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(cpus: &[usize], late_ns: u64) -> std::io::Result<Self> {
        let cpus = cpus.to_vec();
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("alarm-clock".into()).spawn(move || {
            // Elsewhere, or with the kernel's 50 µs of slack, it would be a witness of something else.
            if pin_self(&cpus).is_err() || reduce_timer_slack().is_err() {
                return Wakings::default();
            }
            let mut wakings = Wakings::default();
            while !told.load(Ordering::Relaxed) {
                let due_ns = now_ns() + EVERY.as_nanos() as u64;
                std::thread::sleep(EVERY);
                wakings.all += 1;
                wakings.late += u64::from(now_ns() > due_ns + late_ns);
            }
            wakings
        })?;
        Ok(Self { is_over, thread: Some(thread) })
    }

    /// Ends it.
    #[must_use]
    pub fn end(mut self) -> Wakings {
        self.join()
    }

    fn join(&mut self) -> Wakings {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for AlarmClock {
    fn drop(&mut self) {
        self.join();
    }
}

impl Wakings {
    /// The part that was late; `None` where there were too few.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn late_share(self) -> Option<f64> {
        (self.all >= FEWEST).then(|| self.late as f64 / self.all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_counted_against_what_counts_as_late() {
        // Nothing is woken at the very moment, and nothing an hour later.
        let all = AlarmClock::start(&[], 0).unwrap();
        let none = AlarmClock::start(&[], 3_600_000_000_000).unwrap();
        std::thread::sleep(EVERY * 20);
        let (all, none) = (all.end(), none.end());
        assert!(all.all >= 2 && all.late == all.all, "{all:?}");
        assert!(none.all >= 2 && none.late == 0, "{none:?}");
        assert_eq!(all.late_share(), None, "too few: {all:?}");
    }

    #[test]
    fn a_core_that_cannot_be_had_has_no_witness() {
        let clock = AlarmClock::start(&[nix::sched::CpuSet::count() - 1], 0).unwrap();
        assert_eq!(clock.end(), Wakings::default());
    }

    #[test]
    fn a_share_needs_wakings_enough() {
        assert_eq!(Wakings { all: FEWEST - 1, late: 5 }.late_share(), None);
        assert_eq!(Wakings { all: 1_000, late: 5 }.late_share(), Some(0.005));
    }
}

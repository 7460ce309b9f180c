//! Releases the calls of an open loop when they are due.
//!
//! The wait for a due time is a `timerfd` sleep that ends a little early and a short spin for the
//! rest. The spin yields to the runtime each time round, so that replies are not delayed by it. A
//! late pacer releases everything that is due at once, with the due times unchanged.

use std::cell::RefCell;
use std::io;

use super::source::{Released, Source};
use crate::clock::{PreciseTimer, now_ns};

/// A kernel sleep of this project's machines ends 40 to 110 µs late (MEASUREMENT: timerfd with 1 ns
/// slack); ending it this much early and spinning the rest keeps the median lag below a microsecond.
pub const SPIN_NS: u64 = 100_000;

/// Releases the calls of `schedule` (indices and due times after `begins_ns`) into the open source.
/// `spin_ns` is how much of each wait is spun. Returns how many calls were due.
///
/// # Errors
/// The system arms no timer.
pub async fn pace(
    schedule: impl Iterator<Item = (u64, u64)>,
    source: &RefCell<Source>,
    begins_ns: u64,
    spin_ns: u64,
) -> io::Result<u64> {
    let mut timer = PreciseTimer::new()?;
    let mut offered = 0;
    for (index, offset_ns) in schedule {
        let due_ns = begins_ns + offset_ns;
        let mut ready_ns = now_ns();
        if ready_ns + spin_ns < due_ns {
            timer.until(due_ns - spin_ns).await?;
            ready_ns = now_ns();
        }
        while ready_ns < due_ns {
            tokio::task::yield_now().await;
            ready_ns = now_ns();
        }
        if let Some(open) = source.borrow_mut().open() {
            offered += 1;
            open.release(Released { index, due_ns, ready_ns });
        }
    }
    if let Some(open) = source.borrow_mut().open() {
        open.finish();
    }
    Ok(offered)
}

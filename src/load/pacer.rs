//! Releases the calls of an open loop when they are due.
//!
//! The wait for a due time is a `timerfd` sleep that ends a little early and a short spin for the
//! rest. The spin yields to the runtime each time round, so that replies are not delayed by it. A
//! late pacer releases everything that is due at once, with the due times unchanged.
//!
//! The spin's time is counted ([`Paced::spun_ns`]), because it is in the client's processor time and
//! has nothing to do with the protocol.

use std::cell::RefCell;
use std::io;

use super::source::{Released, Source};
use crate::clock::{PreciseTimer, now_ns};

/// A kernel sleep of this project's machines ends 40 to 110 µs late (MEASUREMENT: timerfd with 1 ns
/// slack); ending it this much early and spinning the rest keeps the median lag below a microsecond.
pub const SPIN_NS: u64 = 100_000;
/// A late pacer lets the lanes work after so many releases.
const BURST: u32 = 64;

/// What a pacer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paced {
    /// How many calls were due.
    pub offered_calls: u64,
    /// When the last of them was.
    pub last_due_ns: Option<u64>,
    /// How long it spun, in nanoseconds; replies that arrived meanwhile were worked on in that time.
    pub spun_ns: u64,
}

/// How a pacer waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pacing {
    /// How much of each wait is spun, in nanoseconds.
    pub spin_ns: u64,
    /// Make the mistake that this project exists to avoid: wait for a free slot before a call is
    /// released, and take the time of the release for the time when it was due. Only the selftest
    /// asks for it, to see that it notices.
    pub is_broken: bool,
}

/// Releases the calls of `schedule` (indices and due times after `begins_ns`) into the open source, and
/// tells `offered` of each when it was due and whether it has to wait for a slot.
///
/// # Errors
/// The system arms no timer.
pub async fn pace(
    schedule: impl Iterator<Item = (u64, u64)>,
    source: &RefCell<Source>,
    begins_ns: u64,
    pacing: Pacing,
    offered: &dyn Fn(u64, bool),
) -> io::Result<Paced> {
    let mut timer = PreciseTimer::new()?;
    let mut paced = Paced::default();
    let mut burst = 0;
    let spin_ns = pacing.spin_ns;
    for (index, offset_ns) in schedule {
        let mut due_ns = begins_ns + offset_ns;
        let mut ready_ns = now_ns();
        if ready_ns + spin_ns < due_ns {
            timer.until(due_ns - spin_ns).await?;
            ready_ns = now_ns();
        }
        if ready_ns < due_ns {
            let spins_from_ns = ready_ns;
            while ready_ns < due_ns {
                tokio::task::yield_now().await;
                ready_ns = now_ns();
            }
            paced.spun_ns += ready_ns - spins_from_ns;
            burst = 0;
        } else {
            burst += 1;
            if burst == BURST {
                tokio::task::yield_now().await;
                burst = 0;
            }
        }
        if pacing.is_broken {
            while source.borrow_mut().open().is_some_and(|open| open.is_full()) {
                tokio::task::yield_now().await;
            }
            ready_ns = now_ns();
            due_ns = ready_ns;
        }
        if let Some(open) = source.borrow_mut().open() {
            paced.offered_calls += 1;
            paced.last_due_ns = Some(due_ns);
            let waits = open.release(Released { index, due_ns, ready_ns });
            offered(due_ns, waits);
        }
    }
    if let Some(open) = source.borrow_mut().open() {
        open.finish();
    }
    Ok(paced)
}

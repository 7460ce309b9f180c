//! What can only be found out by trying: how late a timer is, what waking another core costs, what
//! reading the clock costs. Each takes a fraction of a second.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::clock::{PreciseTimer, now_ns, reduce_timer_slack};
use crate::host::placement::pin_self;

const SLEEPS: u64 = 300;
const SLEEP_NS: u64 = 1_000_000;
const TURNS: usize = 2_000;
/// Turns that are not counted: the first ones find cold caches.
const WARM_UP: usize = 200;
const CLOCK_READS: u64 = 20_000;

/// Two quantiles of times, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The median.
    pub p50_ns: u64,
    /// 99 % are at most this.
    pub p99_ns: u64,
}

impl Times {
    fn of(mut times_ns: Vec<u64>) -> Option<Self> {
        times_ns.sort_unstable();
        let at =
            |percent: usize| times_ns.get((times_ns.len() * percent / 100).min(times_ns.len() - 1)).copied();
        if times_ns.is_empty() { None } else { Some(Self { p50_ns: at(50)?, p99_ns: at(99)? }) }
    }
}

/// How late the timer is that paces open loops, without the spin that hides most of it.
///
/// # Errors
/// The system starts no thread or arms no timer.
pub fn timer_lateness(cpu: usize) -> io::Result<Option<Times>> {
    on_thread(cpu, || {
        let _ = reduce_timer_slack();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let late_ns = runtime.block_on(async {
            let mut timer = PreciseTimer::new()?;
            let mut late_ns = Vec::new();
            for _ in 0..SLEEPS {
                let due_ns = now_ns() + SLEEP_NS;
                timer.until(due_ns).await?;
                late_ns.push(now_ns() - due_ns);
            }
            io::Result::Ok(late_ns)
        })?;
        Ok(Times::of(late_ns))
    })
}

/// One byte to a thread on `other` and back, both sides asleep between turns.
///
/// # Errors
/// The system starts no thread or makes no socket.
pub fn ping_pong(own: usize, other: usize) -> io::Result<Option<Times>> {
    let (mut near, mut far) = UnixStream::pair()?;
    let echo = std::thread::Builder::new().name("doctor".into()).spawn(move || {
        let _ = pin_self(&[other]);
        let mut byte = [0];
        // Ends when the other end is closed.
        while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
    })?;
    let times = on_thread(own, move || {
        let mut turns_ns = Vec::with_capacity(TURNS);
        let mut byte = [0];
        for turn in 0..TURNS + WARM_UP {
            let begun_ns = now_ns();
            near.write_all(&byte)?;
            near.read_exact(&mut byte)?;
            if turn >= WARM_UP {
                turns_ns.push(now_ns() - begun_ns);
            }
        }
        Ok(Times::of(turns_ns))
    });
    let _ = echo.join();
    times
}

/// What reading the clock costs, in nanoseconds: every call reads it about five times.
#[must_use]
pub fn clock_read_ns() -> u64 {
    let begun_ns = now_ns();
    for _ in 0..CLOCK_READS {
        std::hint::black_box(now_ns());
    }
    (now_ns() - begun_ns) / CLOCK_READS
}

fn on_thread<T: Send + 'static>(
    cpu: usize,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let thread = std::thread::Builder::new().name("doctor".into()).spawn(move || {
        let _ = pin_self(&[cpu]);
        work()
    })?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the probe's thread ended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_find_times_on_this_machine() {
        let cpu = crate::host::placement::allowed_cpus().unwrap()[0].number;
        assert!(timer_lateness(cpu).unwrap().unwrap().p50_ns < 1_000_000_000);
        let turns = ping_pong(cpu, cpu).unwrap().unwrap();
        assert!(turns.p50_ns > 0 && turns.p50_ns <= turns.p99_ns);
        assert!(clock_read_ns() > 0);
    }

    #[test]
    fn quantiles_of_few_times_are_among_them() {
        assert_eq!(Times::of(Vec::new()), None);
        assert_eq!(Times::of(vec![7]), Some(Times { p50_ns: 7, p99_ns: 7 }));
    }
}

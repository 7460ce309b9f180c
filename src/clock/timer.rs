//! A timer on `timerfd` with an absolute deadline.
//!
//! tokio's own timers tick at 1 ms, which is a whole service time here.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer of the current runtime that ends at an absolute [`super::now_ns`] time.
#[derive(Debug)]
pub struct PreciseTimer {
    fd: AsyncFd<Descriptor>,
    armed_ns: Option<u64>,
}

/// Shows the timer's descriptor to tokio.
#[derive(Debug)]
struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl PreciseTimer {
    /// Makes an unarmed timer. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        // SAFETY: `Descriptor` owns its descriptor, which stays open and the same until it is dropped
        // together with the `AsyncFd`, and nothing hands it out.
        #[allow(unsafe_code)]
        let fd = unsafe { AsyncFd::register_with_interest(Descriptor(timer), Interest::READABLE) }
            .map_err(io::Error::from)?;
        Ok(Self { fd, armed_ns: None })
    }

    /// Ready once `deadline_ns` has passed. Arming it again for the same time costs nothing, and
    /// the last deadline polled is the one that counts.
    ///
    /// # Errors
    /// The system refused to arm the timer.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, deadline_ns: u64) -> Poll<io::Result<()>> {
        loop {
            if super::now_ns() >= deadline_ns {
                return Poll::Ready(Ok(()));
            }
            if self.armed_ns != Some(deadline_ns) {
                let time =
                    nix::sys::time::TimeSpec::from_duration(std::time::Duration::from_nanos(deadline_ns));
                self.fd.get_ref().0.set(Expiration::OneShot(time), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                self.armed_ns = Some(deadline_ns);
            }
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            // Reading clears the expiry; a stale readiness of an earlier deadline reads WouldBlock.
            guard.clear_ready();
            match self.fd.get_ref().0.wait() {
                Ok(()) => self.armed_ns = None,
                Err(nix::Error::EAGAIN) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Waits until `deadline_ns`.
    ///
    /// # Errors
    /// See [`Self::poll_until`].
    pub async fn until(&mut self, deadline_ns: u64) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_until(cx, deadline_ns)).await
    }
}

/// Lets this thread's sleeps end within 1 ns of their time, instead of the kernel's 50 µs.
///
/// # Errors
/// The kernel refused.
pub fn reduce_timer_slack() -> io::Result<()> {
    Ok(nix::sys::prctl::set_timerslack(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_never_ends_early_and_can_be_armed_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut timer = PreciseTimer::new().unwrap();
            for delay_ns in [0, 200_000, 2_000_000, 50_000] {
                let deadline_ns = crate::clock::now_ns() + delay_ns;
                timer.until(deadline_ns).await.unwrap();
                assert!(crate::clock::now_ns() >= deadline_ns);
            }
        });
    }
}

//! A handler's timer, made when it is first needed: most connections never have late replies, and
//! each timer is a descriptor.

use std::io;
use std::task::{Context, Poll};

use crate::clock::{PreciseTimer, now_ns};

/// Waits for the times that [`super::Handler::work`] asks for.
#[derive(Debug, Default)]
pub(crate) struct WorkTimer(Option<PreciseTimer>);

impl WorkTimer {
    /// Ready once `due_ns` has passed.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, due_ns: u64) -> Poll<io::Result<()>> {
        if due_ns <= now_ns() {
            return Poll::Ready(Ok(()));
        }
        let timer = match &mut self.0 {
            Some(timer) => timer,
            none => none.insert(PreciseTimer::new()?),
        };
        timer.poll_until(cx, due_ns)
    }
}

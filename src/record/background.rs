//! Writes full intervals away from the measuring thread.
//!
//! Compressing a second's histograms takes longer than many calls; on the measuring thread that
//! would be a stall every second. The thread runs in [spare time](super::spare_time) and the recorder never
//! waits for it.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::recorder::Interval;
use super::spare_time;

/// Takes a full interval.
pub type IntervalSink = Box<dyn FnMut(&Interval) + Send>;

/// The thread and the intervals that circulate between it and its recorder: three in all.
#[derive(Debug)]
pub struct Background {
    full: SyncSender<Interval>,
    spare: Receiver<Interval>,
    back: Sender<Interval>,
    thread: JoinHandle<()>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn start(mut sink: IntervalSink) -> io::Result<Self> {
        let (full, receiver) = sync_channel::<Interval>(3);
        let (back, spare) = channel();
        let returned = back.clone();
        let thread = spare_time::spawn("intervals", move || {
            for mut interval in receiver {
                sink(&interval);
                interval.clear();
                let _ = returned.send(interval);
            }
        })?;
        Ok(Self { full, spare, back, thread })
    }

    pub(super) fn give_back(&self, interval: Interval) {
        let _ = self.back.send(interval);
    }

    pub(super) fn take_spare(&self) -> Option<Interval> {
        self.spare.try_recv().ok()
    }

    pub(super) fn hand_over(&self, interval: Interval) {
        // There is room for every interval there is.
        let _ = self.full.send(interval);
    }

    pub(super) fn finish(self) {
        drop(self.full);
        let _ = self.thread.join();
    }
}

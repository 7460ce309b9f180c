//! Who was woken: the connection, or which of its streams.
//!
//! h2 wakes one waker per stream and one for the connection. All belong to one task, and most are
//! woken while that task is polling the connection: noting them instead of waking the task saves a
//! poll of every stream for each reply, and a needless poll of the task.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The wake-ups of one connection. As a waker it is the connection's own.
#[derive(Debug, Default)]
pub(super) struct Wakeups(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    task: Option<Waker>,
    /// Whether the task is looking at its wake-ups already.
    is_inside: bool,
    connection: bool,
    streams: Vec<usize>,
}

impl Wakeups {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on wake-ups are noted only; the task must look at them until there are none.
    pub(super) fn enter(&self, task: Option<&Waker>) {
        let mut state = self.state();
        state.is_inside = true;
        if let Some(task) = task
            && !state.task.as_ref().is_some_and(|known| known.will_wake(task))
        {
            state.task = Some(task.clone());
        }
    }

    /// From here on wake-ups wake the task.
    pub(super) fn leave(&self) {
        self.state().is_inside = false;
    }

    /// Whether the connection was woken since this was last asked.
    pub(super) fn take_connection(&self) -> bool {
        std::mem::take(&mut self.state().connection)
    }

    /// Moves the streams that were woken into `woken`.
    pub(super) fn take_streams(&self, woken: &mut Vec<usize>) {
        woken.clear();
        std::mem::swap(woken, &mut self.state().streams);
    }

    /// Whether anything was woken that nobody has looked at.
    pub(super) fn is_woken(&self) -> bool {
        let state = self.state();
        state.connection || !state.streams.is_empty()
    }

    fn note(&self, note: impl FnOnce(&mut State)) {
        let mut state = self.state();
        note(&mut state);
        let task = if state.is_inside { None } else { state.task.clone() };
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Wake for Wakeups {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note(|state| state.connection = true);
    }
}

/// The waker of one stream; kept for the next stream in the same place.
#[derive(Debug)]
pub(super) struct StreamWaker {
    stream: usize,
    is_noted: AtomicBool,
    wakeups: Arc<Wakeups>,
}

impl StreamWaker {
    pub(super) fn new(stream: usize, wakeups: &Arc<Wakeups>) -> Arc<Self> {
        Arc::new(Self { stream, is_noted: AtomicBool::new(false), wakeups: Arc::clone(wakeups) })
    }

    /// Must be called before the stream is looked at, so that the next wake-up is noted.
    pub(super) fn rearm(&self) {
        self.is_noted.store(false, Relaxed);
    }
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Everything runs on one thread; were a wake-up to come from another, the lock orders it.
        if !self.is_noted.swap(true, Relaxed) {
            self.wakeups.note(|state| state.streams.push(self.stream));
        }
    }
}

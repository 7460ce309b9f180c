//! Where client threads wait for each other: at the begin of the measured interval and at its end. One that
//! fails lets the others go, instead of keeping them for ever.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::DriveError;

/// The threads of one round.
#[derive(Debug)]
pub(super) struct Meeting {
    threads: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Threads that wait.
    here: u32,
    /// Meetings that have taken place.
    held: u64,
    /// What the last one agreed on.
    agreed: u64,
    /// A thread will not come any more.
    is_abandoned: bool,
}

/// A thread that takes part. Where it ends without [`Attendance::complete`], by an error or a panic, the
/// others learn it.
#[derive(Debug)]
pub(super) struct Attendance<'a> {
    meeting: &'a Meeting,
    is_complete: bool,
}

impl Meeting {
    pub(super) fn new(threads: u32) -> Self {
        Self { threads, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes part from now on.
    pub(super) fn attend(&self) -> Attendance<'_> {
        Attendance { meeting: self, is_complete: false }
    }

    /// Waits until every thread is here; the last one to come carries out `act`, and all get what it gave.
    ///
    /// # Errors
    /// [`DriveError::Abandoned`] where a thread has failed.
    pub(super) fn meet(&self, act: impl FnOnce() -> u64) -> Result<u64, DriveError> {
        let mut state = self.lock();
        let held = state.held;
        state.here += 1;
        if state.here == self.threads && !state.is_abandoned {
            state.agreed = act();
            state.here = 0;
            state.held += 1;
            self.changed.notify_all();
        }
        while state.held == held {
            if state.is_abandoned {
                return Err(DriveError::Abandoned);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state.agreed)
    }

    /// A thread will not come any more.
    pub(super) fn abandon(&self) {
        self.lock().is_abandoned = true;
        self.changed.notify_all();
    }

    /// A thread that panicked here left nothing half done that the others look at.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attendance<'_> {
    /// The thread has been at every meeting.
    pub(super) fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.meeting.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn all_threads_get_what_the_last_one_to_come_says_and_it_acts_alone() {
        let (meeting, acts) = (Meeting::new(4), AtomicU64::new(0));
        let thread = || {
            let attendance = meeting.attend();
            let act = || 7 + acts.fetch_add(1, Ordering::Relaxed);
            let found = [meeting.meet(act).unwrap(), meeting.meet(act).unwrap()];
            attendance.complete();
            found
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(thread)).collect();
            for found in threads.into_iter().map(|thread| thread.join().unwrap()) {
                assert_eq!(found, [7, 8]);
            }
        });
        assert_eq!(acts.into_inner(), 2);
    }

    #[test]
    fn a_thread_that_fails_or_panics_lets_the_others_go() {
        for panics in [false, true] {
            let meeting = Meeting::new(3);
            std::thread::scope(|scope| {
                let waiting: Vec<_> = (0..2)
                    .map(|_| {
                        scope.spawn(|| {
                            let _attendance = meeting.attend();
                            meeting.meet(|| 0)
                        })
                    })
                    .collect();
                let failing = scope.spawn(|| {
                    let _attendance = meeting.attend();
                    assert!(!panics, "as it should");
                });
                assert_eq!(failing.join().is_err(), panics);
                for thread in waiting {
                    assert!(matches!(thread.join().unwrap(), Err(DriveError::Abandoned)));
                }
            });
        }
    }

    #[test]
    fn a_panic_while_acting_lets_the_others_go_too() {
        let meeting = Meeting::new(2);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        let _attendance = meeting.attend();
                        meeting.meet(|| panic!("as it should"))
                    })
                })
                .collect();
            let found: Vec<_> = threads.into_iter().map(|thread| thread.join().ok()).collect();
            assert!(found.iter().any(Option::is_none));
            assert!(found.iter().flatten().all(|found| matches!(found, Err(DriveError::Abandoned))));
        });
    }
}

//! Threads beside the measuring one.

use std::io;
use std::thread::{Builder, JoinHandle};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// Starts a thread that runs when nobody else wants its core, and leaves it as soon as somebody does.
///
/// The lowest niceness is not enough: on Linux a nice thread that has a core may keep it for the rest of
/// its slice, about 3 ms, while a thread that has just been woken waits. A thread with the policy
/// `SCHED_IDLE` (`sched(7)`) leaves at once.
///
/// # Errors
/// The system starts no more threads.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        // Where the policy is refused the numbers are a little noisier, and still right.
        let _ = set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Min,
            ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle),
        );
        body()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_itself_gives_way() {
        let policy = || thread_priority::thread_schedule_policy().unwrap();
        let before = policy();
        let inside = spawn("spare", policy).unwrap().join().unwrap();
        assert_eq!(inside, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
        assert_eq!(policy(), before);
        assert_ne!(before, inside);
    }
}

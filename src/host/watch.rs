//! Looks at a round's processes while it is measured: whether the server stands still, and what both
//! sides use, piece by piece.
//!
//! The looks cost a few microseconds each, twenty times a second, in the [spare time](crate::record::spare_time)
//! of a core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::process_tree::descendants_at_a_glance;
use super::stops::State;
use super::usage_course::UsageCourse;
use crate::clock::now_ns;
use crate::record::{IntervalLength, spare_time};
use crate::result::UsagePiece;

/// From one look to the next. Stops that matter last longer; more looks would be seen in a tail of one
/// call in a hundred.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The most processes of a server that are looked at: each look costs time.
const MOST_PROCESSES: usize = 16;

/// What the looking thread is to do.
const WAIT: u8 = 0;
const COUNT: u8 = 1;
const END: u8 = 2;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// The longest time in nanoseconds, of those that counted, in which one of the server's processes
    /// was stopped; `None` where there is no server to look at, or its state could not be read.
    pub server_stopped_ns: Option<u64>,
    /// What was used, piece by piece.
    pub course: Vec<UsagePiece>,
}

/// Looks at this process, the client, and at a server and the processes below it, until it is ended or
/// dropped. It is made before the thread that starts it is confined to a core, so that the looks need
/// not take place on that core.
#[derive(Debug)]
pub struct Watch {
    order: Arc<AtomicU8>,
    thread: Option<JoinHandle<Seen>>,
}

impl Watch {
    /// Gets ready to look at this process, and at the server `pid` with the processes that it has now,
    /// where it is a process of its own.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(server: Option<u32>, pieces: IntervalLength) -> std::io::Result<Self> {
        let server: Vec<i32> = server
            .and_then(|pid| i32::try_from(pid).ok())
            .into_iter()
            .flat_map(|root| std::iter::once(root).chain(descendants_at_a_glance(root)))
            .take(MOST_PROCESSES)
            .collect();
        let states = server.iter().copied().filter_map(State::open).collect();
        let course = UsageCourse::new(std::process::id().cast_signed(), &server, pieces);
        let order = Arc::new(AtomicU8::new(WAIT));
        let told = Arc::clone(&order);
        let thread = spare_time::spawn("watch", move || look(states, course, &told))?;
        Ok(Self { order, thread: Some(thread) })
    }

    /// What is seen counts from now on.
    pub fn begin(&self) {
        self.tell(COUNT);
    }

    /// What is seen no longer counts.
    pub fn pause(&self) {
        self.tell(WAIT);
    }

    /// Ends the looking.
    #[must_use]
    pub fn end(mut self) -> Seen {
        self.join()
    }

    fn tell(&self, order: u8) {
        self.order.store(order, Ordering::Relaxed);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    fn join(&mut self) -> Seen {
        self.tell(END);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.join();
    }
}

fn look(mut states: Vec<State>, mut course: UsageCourse, order: &AtomicU8) -> Seen {
    let mut server_stopped_ns = None;
    loop {
        let order = order.load(Ordering::Relaxed);
        let at_ns = now_ns();
        if order == COUNT {
            course.look(at_ns);
        } else {
            course.end(at_ns);
        }
        if order == END {
            return Seen { server_stopped_ns, course: course.into_pieces() };
        }
        for state in &mut states {
            let stopped_ns = state.look(at_ns);
            if order == COUNT {
                server_stopped_ns = server_stopped_ns.max(stopped_ns);
            }
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::Pid;

    use super::*;

    const PIECES: IntervalLength = IntervalLength::Fixed(100_000_000);

    fn child() -> Child {
        let mut child = Command::new("sh")
            .args(["-c", "echo up; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child
    }

    #[test]
    fn a_process_that_is_stopped_is_seen_for_as_long_as_it_is() {
        let mut child = child();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let watch = Watch::start(Some(child.id()), PIECES).unwrap();
        watch.begin();
        let begun_ns = now_ns();
        kill(pid, Signal::SIGSTOP).unwrap();
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap(), WaitStatus::Stopped(..)));
        let stopped_ns = now_ns();
        std::thread::sleep(Duration::from_millis(150));
        let before_ns = now_ns();
        kill(pid, Signal::SIGCONT).unwrap();
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WCONTINUED)).unwrap(), WaitStatus::Continued(_)));
        let continued_ns = now_ns();
        // The end is seen at the next look, whenever a busy machine lets it be.
        std::thread::sleep(LOOK_EVERY * 3);
        let ended_ns = now_ns();
        let longest_ns = watch.end().server_stopped_ns.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let about = format!("{longest_ns} of {} to {}", before_ns - stopped_ns, continued_ns - begun_ns);
        assert!(
            longest_ns > 0 && longest_ns <= ended_ns - begun_ns + LOOK_EVERY.as_nanos() as u64,
            "{about}"
        );
        assert!(longest_ns + 100_000_000 >= before_ns - stopped_ns, "{about}");
    }

    #[test]
    fn the_course_covers_the_time_that_counted_and_nothing_else() {
        let mut child = child();
        let watch = Watch::start(Some(child.id()), PIECES).unwrap();
        std::thread::sleep(LOOK_EVERY * 2);
        watch.begin();
        std::thread::sleep(Duration::from_millis(350));
        watch.pause();
        std::thread::sleep(LOOK_EVERY * 2);
        let seen = watch.end();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen.server_stopped_ns, Some(0));
        let length_s: f64 = seen.course.iter().map(|piece| piece.length_s).sum();
        assert!(length_s >= 0.25, "{seen:?}");
        assert!(seen.course.len() >= 2, "{seen:?}");
        for pair in seen.course.windows(2) {
            assert!((pair[0].start_s + pair[0].length_s - pair[1].start_s).abs() < 1e-6, "{seen:?}");
        }
        for piece in &seen.course {
            assert!(piece.client_rss_bytes.unwrap() > 1_000_000, "{seen:?}");
            assert!(piece.server_rss_bytes.unwrap() > 100_000, "{seen:?}");
            assert!(piece.client_cores.unwrap() >= 0.0 && piece.server_cores.unwrap() < 0.5, "{seen:?}");
        }
    }

    #[test]
    fn a_server_that_does_not_exist_is_not_watched() {
        for pid in [None, Some(4_194_305), Some(u32::MAX)] {
            let watch = Watch::start(pid, PIECES).unwrap();
            watch.begin();
            std::thread::sleep(LOOK_EVERY * 3);
            let seen = watch.end();
            assert_eq!(seen.server_stopped_ns, None);
            assert!(seen.course.iter().all(|piece| piece.server_rss_bytes.is_none()), "{seen:?}");
        }
    }
}

//! What the two sides of a round use while it is measured, piece by piece: processor time and memory.
//!
//! The processes are those that there were when the round began. The sums over a whole round, with all
//! that processes started later used, are `resources`'.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::resources::cpu_clock_ns;
use crate::record::IntervalLength;
use crate::result::UsagePiece;

/// The course of a round.
#[derive(Debug)]
pub(super) struct UsageCourse {
    client: Vec<Process>,
    server: Vec<Process>,
    length: IntervalLength,
    begun_ns: u64,
    /// The begin of the piece under way.
    piece: Option<Looked>,
    pieces: Vec<UsagePiece>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy)]
struct Looked {
    at_ns: u64,
    client_cpu_ns: Option<u64>,
    server_cpu_ns: Option<u64>,
}

impl UsageCourse {
    pub(super) fn new(client: i32, server: &[i32], length: IntervalLength) -> Self {
        Self {
            client: Process::open(client).into_iter().collect(),
            server: server.iter().copied().filter_map(Process::open).collect(),
            length,
            begun_ns: 0,
            piece: None,
            pieces: Vec::new(),
        }
    }

    /// Ends the piece under way if it is long enough.
    pub(super) fn look(&mut self, at_ns: u64) {
        match self.piece {
            None => {
                self.begun_ns = at_ns;
                self.piece = Some(self.counters(at_ns));
            }
            Some(begin) => {
                let length_ns = self.length.at(begin.at_ns.saturating_sub(self.begun_ns));
                if at_ns.saturating_sub(begin.at_ns) >= length_ns {
                    self.finish(begin, at_ns);
                }
            }
        }
    }

    /// Ends the piece under way.
    pub(super) fn end(&mut self, at_ns: u64) {
        if let Some(begin) = self.piece.take() {
            self.finish(begin, at_ns);
            self.piece = None;
        }
    }

    pub(super) fn into_pieces(self) -> Vec<UsagePiece> {
        self.pieces
    }

    #[allow(clippy::cast_precision_loss)]
    fn finish(&mut self, begin: Looked, at_ns: u64) {
        let end = self.counters(at_ns);
        let length_ns = at_ns.saturating_sub(begin.at_ns);
        let cores = |begin: Option<u64>, end: Option<u64>| {
            (length_ns > 0).then(|| Some(end?.saturating_sub(begin?) as f64 / length_ns as f64)).flatten()
        };
        self.pieces.push(UsagePiece {
            start_s: begin.at_ns.saturating_sub(self.begun_ns) as f64 / 1e9,
            length_s: length_ns as f64 / 1e9,
            client_cores: cores(begin.client_cpu_ns, end.client_cpu_ns),
            server_cores: cores(begin.server_cpu_ns, end.server_cpu_ns),
            client_rss_bytes: sum(&self.client, Process::rss_bytes),
            server_rss_bytes: sum(&self.server, Process::rss_bytes),
        });
        self.piece = Some(end);
    }

    fn counters(&self, at_ns: u64) -> Looked {
        Looked {
            at_ns,
            client_cpu_ns: sum(&self.client, |process| cpu_clock_ns(process.pid)),
            server_cpu_ns: sum(&self.server, |process| cpu_clock_ns(process.pid)),
        }
    }
}

/// `None` where no process could be read.
fn sum(processes: &[Process], value: impl Fn(&Process) -> Option<u64>) -> Option<u64> {
    processes.iter().filter_map(value).reduce(|sum, more| sum.saturating_add(more))
}

#[derive(Debug)]
struct Process {
    pid: i32,
    statm: File,
}

impl Process {
    fn open(pid: i32) -> Option<Self> {
        Some(Self { pid, statm: File::open(format!("/proc/{pid}/statm")).ok()? })
    }

    /// Its resident memory: the second number of `/proc/PID/statm` (proc(5)), in pages.
    fn rss_bytes(&self) -> Option<u64> {
        let mut bytes = [0; 128];
        let read = self.statm.read_at(&mut bytes, 0).ok()?;
        let pages: u64 = std::str::from_utf8(&bytes[..read]).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some(pages.saturating_mul(procfs::page_size()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now_ns;

    #[test]
    fn a_piece_ends_at_the_first_look_beyond_its_length() {
        let mut course = UsageCourse::new(std::process::id().cast_signed(), &[], IntervalLength::Fixed(100));
        let begun_ns = now_ns();
        for after_ns in [0, 50, 120, 200, 230, 240] {
            course.look(begun_ns + after_ns);
        }
        course.end(begun_ns + 300);
        course.end(begun_ns + 400);
        course.look(begun_ns + 500);
        course.end(begun_ns + 510);
        let found: Vec<(u64, u64)> = course
            .into_pieces()
            .iter()
            .map(|piece| ((piece.start_s * 1e9).round() as u64, (piece.length_s * 1e9).round() as u64))
            .collect();
        assert_eq!(found, [(0, 120), (120, 110), (230, 70), (0, 10)]);
    }

    #[test]
    fn what_this_process_burns_and_holds_is_seen() {
        let mut course = UsageCourse::new(std::process::id().cast_signed(), &[], IntervalLength::Fixed(1));
        course.look(now_ns());
        let burn_until_ns = now_ns() + 30_000_000;
        while now_ns() < burn_until_ns {}
        course.end(now_ns());
        let piece = course.into_pieces()[0];
        assert!(piece.client_cores.unwrap() > 0.2, "{piece:?}");
        assert!(piece.client_rss_bytes.unwrap() > 1_000_000, "{piece:?}");
        assert_eq!((piece.server_cores, piece.server_rss_bytes), (None, None));
    }
}

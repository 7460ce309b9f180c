//! What a child writes, kept in bounded memory whether anyone reads it or not: a child must never
//! block on a full pipe because the harness was busy.

use std::collections::VecDeque;

/// Standard output: everything up to a limit, taken line by line or as a whole.
#[derive(Debug)]
pub(super) struct Output {
    bytes: VecDeque<u8>,
    limit_bytes: usize,
    truncated: bool,
}

impl Output {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { bytes: VecDeque::new(), limit_bytes, truncated: false }
    }

    /// Keeps what fits. The beginning matters (a server's first line, a client's result), so what
    /// comes after the limit is dropped.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.limit_bytes.saturating_sub(self.bytes.len());
        self.truncated |= bytes.len() > room;
        self.bytes.extend(&bytes[..bytes.len().min(room)]);
    }

    /// The next complete line, without its end; at the end of the stream also an incomplete one.
    pub(super) fn take_line(&mut self, ended: bool) -> Option<String> {
        let line: Vec<u8> = match self.bytes.iter().position(|&byte| byte == b'\n') {
            Some(end) => self.bytes.drain(..=end).collect(),
            None if ended && !self.bytes.is_empty() => self.bytes.drain(..).collect(),
            None => return None,
        };
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_string())
    }

    pub(super) fn take_all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes).into()
    }

    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }
}

/// The last lines of standard error.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: VecDeque<u8>,
}

const TAIL_LINES: usize = 20;
const TAIL_BYTES: usize = 8 * 1024;

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(TAIL_BYTES);
        self.bytes.drain(..excess);
    }

    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole_and_the_last_at_the_end() {
        let mut output = Output::new(100);
        output.push(b"one\r\ntw");
        assert_eq!(output.take_line(false).as_deref(), Some("one"));
        assert_eq!(output.take_line(false), None);
        output.push(b"o");
        assert_eq!(output.take_line(true).as_deref(), Some("two"));
        assert_eq!(output.take_line(true), None);
    }

    #[test]
    fn output_beyond_the_limit_is_dropped_and_said() {
        let mut output = Output::new(4);
        output.push(b"abc");
        assert!(!output.truncated());
        output.push(b"def");
        assert!(output.truncated());
        assert_eq!(output.take_all(), b"abcd");
    }

    #[test]
    fn the_tail_is_bounded_in_lines_and_bytes() {
        let mut tail = Tail::default();
        for line in 0..100 {
            tail.push(format!("{line}\n").as_bytes());
        }
        assert_eq!(tail.text().lines().count(), TAIL_LINES);
        assert!(tail.text().ends_with("99"));
        tail.push(&[b'x'; 3 * TAIL_BYTES]);
        assert_eq!(tail.text().len(), TAIL_BYTES);
    }
}

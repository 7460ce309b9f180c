//! Progress of a check on standard error: one line that says what is still undecided on a terminal, a
//! line per look elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::CheckProgress;

/// Redraws per second: each is a wake-up beside a measurement.
const REDRAWS_PER_S: u8 = 4;

/// Shows how a check goes on.
pub(super) struct CheckLine {
    bar: ProgressBar,
    /// What goes on, without the single round.
    about: String,
}

impl CheckLine {
    /// A line; invisible where standard error is no terminal.
    pub(super) fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {wide_msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.enable_steady_tick(Duration::from_secs(1));
        Self { bar, about: String::new() }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn about(&mut self, what: String) {
        self.bar.set_message(what.clone());
        self.about = what;
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| super::say(line));
    }
}

impl CheckProgress for CheckLine {
    fn practises(&mut self) {
        self.about("unscored rounds: do both sides work, how long is a round, how many bytes".to_owned());
    }

    fn begins(&mut self, number: usize, total: usize, undecided: &str) {
        self.bar.set_length(total as u64);
        self.bar.set_position(number as u64 - 1);
        self.about(format!("pair {number} of at most {total}; undecided: {undecided}"));
    }

    fn tries(&mut self, round: &str) {
        self.bar.set_message(format!("{}; {round}", self.about));
    }

    fn dropped(&mut self, why: &str) {
        self.say(&format!("a pair is dropped and made again: {why}"));
    }

    fn looked(&mut self, pairs: usize, found: &str) {
        self.say(&format!("after {pairs} pairs: {found}"));
    }
}

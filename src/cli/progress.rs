//! Progress on standard error: a bar with the time left on a terminal, a line per mishap elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::Progress;

/// Redraws per second: each is a wake-up beside a measurement.
const REDRAWS_PER_S: u8 = 4;

/// A long run says that often where it is, where nobody sees a bar.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Shows how a run goes on.
pub(super) struct Bar {
    bar: ProgressBar,
    cell: String,
    /// When something was last said, where there is no bar to see.
    said: Instant,
}

impl Bar {
    /// A bar for so many rounds; invisible where standard error is no terminal.
    pub(super) fn new(rounds: usize) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(rounds as u64), target);
        // Before a round has ended nobody knows how long one takes.
        show(&bar, "{bar:30} round {pos}/{len}  {wide_msg}");
        bar.enable_steady_tick(Duration::from_secs(1));
        Self { bar, cell: String::new(), said: Instant::now() }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn show(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
}

impl Progress for Bar {
    fn begins(&mut self, cell: &str, number: usize, total: usize) {
        // A search learns on its way how long it is.
        self.bar.set_length(total as u64);
        cell.clone_into(&mut self.cell);
        self.bar.set_position(number as u64 - 1);
        self.bar.set_message(cell.to_owned());
        if self.bar.is_hidden() && self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            super::say(format_args!("round {number}: {cell}"));
        }
    }

    fn ended(&mut self, note: Option<&str>) {
        if let Some(note) = note {
            let line = format!("{}: {note}", self.cell);
            // `println` of a hidden bar prints nothing.
            self.bar.suspend(|| super::say(&line));
        }
        if self.bar.position() == 0 {
            show(&self.bar, "{bar:30} round {pos}/{len}  {wide_msg}  {eta_precise} left");
        }
        self.bar.inc(1);
    }
}

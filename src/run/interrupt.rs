//! Ctrl-C and friends: the first asks the run to end in good order, the second ends it at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The exit code of an interrupted run.
pub const INTERRUPTED: u8 = 130;

/// Whether the user has asked to end.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on, but for those that are ignored already: who starts
    /// a run with `nohup` wants it to outlive the terminal. A second one ends the process, and with it every
    /// child, whose supervisor sees the lifeline end.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let ignored = ignored_signals();
        let is_ignored = |signal: i32| ignored & (1 << (signal - 1)) != 0;
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)) {
            let second = Arc::clone(&interrupt.0);
            signal_hook::flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), second)?;
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0))?;
        }
        Ok(interrupt)
    }

    /// The flag itself, for whoever waits below this module.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether it has come.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The signals that this process ignores, a bit each from 1 on (`SigIgn` of `/proc/self/status`, proc(5)).
fn ignored_signals() -> u64 {
    procfs::process::Process::myself().and_then(|process| process.status()).map_or(0, |status| status.sigign)
}

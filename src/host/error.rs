//! Why a process or a server could not be started, or did not live.

use std::io;
use std::time::Duration;

use super::Exit;

/// What hosting can fail with. Messages say what was attempted and what to do.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// There is no such command.
    #[error("there is no command {command:?}: {how}")]
    CommandMissing {
        /// The command as it would have been started.
        command: String,
        /// How to get it.
        how: String,
    },
    /// The command exists and could not be started.
    #[error("cannot start {command:?}: {reason}")]
    Start {
        /// The command.
        command: String,
        /// Why.
        reason: String,
    },
    /// The server ended before it was ready.
    #[error("{name} {exit} before it was ready{}", said(.stderr))]
    Died {
        /// Which back end.
        name: String,
        /// How it ended.
        exit: Exit,
        /// The last lines of its standard error.
        stderr: String,
    },
    /// The server lives and answers no call.
    #[error("{name} answered no call within {:.1} s; the last attempt: {reason}{}", .waited.as_secs_f64(), said(.stderr))]
    NotReady {
        /// Which back end.
        name: String,
        /// How long it had.
        waited: Duration,
        /// What the last attempt ended with.
        reason: String,
        /// The last lines of its standard error.
        stderr: String,
    },
    /// The caller wished no longer to wait for it.
    #[error("the start of {name} was ended before it was ready")]
    Stopped {
        /// Which back end.
        name: String,
    },
    /// A server needs an interpreter or a package that is not installed here.
    #[error("{what} is missing: {how_to_get_it}")]
    MissingPeer {
        /// The interpreter or package.
        what: String,
        /// A command, mostly.
        how_to_get_it: String,
    },
    /// Something of the machine's failed.
    #[error("cannot {attempt}: {source}")]
    Io {
        /// What was attempted, in the infinitive.
        attempt: String,
        /// The system's error.
        source: io::Error,
    },
}

impl HostError {
    pub(super) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| HostError::Io { attempt, source }
    }

    /// Whether it would be the same again: something is not installed, as opposed to broken.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, HostError::CommandMissing { .. } | HostError::MissingPeer { .. })
    }
}

fn said(stderr: &str) -> String {
    if stderr.trim().is_empty() {
        "; it wrote nothing to standard error".into()
    } else {
        format!("; its standard error ends with:\n{}", stderr.trim_end())
    }
}

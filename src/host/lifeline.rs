//! What a supervisor tells its parent over the lifeline: one JSON object per line.
//!
//! The lifeline is a UNIX stream pair. Its other purpose is to end: when the parent closes its end,
//! or dies in whatever way, the supervisor reads the end of the stream and cleans up. The parent
//! writes nothing.

use std::fmt;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// A line from the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// The command runs.
    Started {
        /// Its process.
        pid: u32,
    },
    /// The command has ended; whatever it left behind is killed now.
    Exited(Exit),
    /// The command never ran.
    Failed {
        /// The operating system's words.
        reason: String,
        /// Whether there is no such command, as opposed to one that may not or cannot run.
        missing: bool,
    },
}

/// How a process ended. Both are absent where nobody could tell, because its supervisor was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// What it returned.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

impl Exit {
    /// Nobody saw how it ended.
    pub const UNKNOWN: Exit = Exit { code: None, signal: None };

    /// Whether it returned 0.
    #[must_use]
    pub fn success(self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exited with code {code}"),
            (None, Some(number)) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by {signal} (signal {number})"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            (None, None) => f.write_str("ended together with its supervisor"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stand_as_documented() {
        for (message, json) in [
            (Message::Started { pid: 7 }, r#"{"started":{"pid":7}}"#),
            (Message::Exited(Exit { code: Some(3), signal: None }), r#"{"exited":{"code":3,"signal":null}}"#),
            (
                Message::Failed { reason: "no".into(), missing: true },
                r#"{"failed":{"reason":"no","missing":true}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
            assert_eq!(serde_json::from_str::<Message>(json).unwrap(), message);
        }
    }

    #[test]
    fn an_exit_names_its_signal() {
        assert_eq!(Exit { code: None, signal: Some(9) }.to_string(), "was killed by SIGKILL (signal 9)");
        assert_eq!(Exit { code: Some(1), signal: None }.to_string(), "exited with code 1");
    }
}

//! What can go wrong in a call, in the words of no particular protocol.

use serde::{Deserialize, Serialize};

/// Why a server answered with an error, so that each protocol can use its own code for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// There is no such method.
    UnknownMethod,
    /// The arguments are not of the method's types, or their bytes are damaged.
    BadArguments,
    /// The method failed, as a service's own code would.
    Application,
    /// The message is larger than the server takes.
    TooLarge,
    /// The deadline passed before there was an answer.
    DeadlineExceeded,
    /// The server itself failed.
    Internal,
}

/// An error that a server answered with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct Fault {
    /// Its kind, as far as the protocol lets a client tell.
    pub kind: FaultKind,
    /// The protocol's own code: the XML-RPC fault code, the gRPC status number.
    pub code: Option<i64>,
    /// The name: an exception's class at zerorpc, the status's name at gRPC.
    pub name: String,
    /// The text for people.
    pub message: String,
    /// A traceback, where the protocol carries one.
    pub traceback: Option<String>,
}

impl Fault {
    /// A fault of a kind, with the kind's usual name and without a native code.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let name = match kind {
            FaultKind::UnknownMethod => "NameError",
            FaultKind::BadArguments => "TypeError",
            FaultKind::Application => "ApplicationError",
            FaultKind::TooLarge => "TooLarge",
            FaultKind::DeadlineExceeded => "TimeoutError",
            FaultKind::Internal => "InternalError",
        };
        Self { kind, code: None, name: name.into(), message: message.into(), traceback: None }
    }

    /// The fault for a method that does not exist.
    #[must_use]
    pub fn unknown_method(name: &str) -> Self {
        Self::new(FaultKind::UnknownMethod, format!("method {name:?} is not supported"))
    }
}

/// How failed calls are counted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// No connection could be made.
    Connect,
    /// No answer within the time-out.
    Timeout,
    /// The connection ended under the call.
    Reset,
    /// The answer breaks the protocol's rules.
    Protocol,
    /// The server answered with an error.
    Remote,
    /// The call never got a slot before the drain ended.
    Unsent,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [ErrorClass; 6] = [
        ErrorClass::Connect,
        ErrorClass::Timeout,
        ErrorClass::Reset,
        ErrorClass::Protocol,
        ErrorClass::Remote,
        ErrorClass::Unsent,
    ];

    /// The name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorClass::Connect => "connect",
            ErrorClass::Timeout => "timeout",
            ErrorClass::Reset => "reset",
            ErrorClass::Protocol => "protocol",
            ErrorClass::Remote => "remote",
            ErrorClass::Unsent => "unsent",
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection could be made.
    #[error("cannot connect to {target}: {reason}")]
    Connect {
        /// The address.
        target: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer within {after_ms} ms")]
    Timeout {
        /// How long the call waited, in milliseconds.
        after_ms: u64,
    },
    /// The connection ended under the call.
    #[error("the connection ended before the answer: {reason}")]
    Reset {
        /// How it ended.
        reason: String,
    },
    /// The peer broke the protocol's rules.
    #[error("the answer breaks the protocol: {reason}")]
    Protocol {
        /// Which rule.
        reason: String,
    },
    /// The server answered with an error.
    #[error("the server answered with an error: {0}")]
    Remote(#[source] Fault),
}

impl CallError {
    /// How the error is counted.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            CallError::Connect { .. } => ErrorClass::Connect,
            CallError::Timeout { .. } => ErrorClass::Timeout,
            CallError::Reset { .. } => ErrorClass::Reset,
            CallError::Protocol { .. } => ErrorClass::Protocol,
            CallError::Remote(_) => ErrorClass::Remote,
        }
    }
}

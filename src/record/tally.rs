//! Counts of calls, errors and wrong answers, and bytes, per method.

use std::collections::BTreeMap;

use crate::rpc::{CallError, ErrorClass, Value};

/// How many different errors and wrong answers are kept as examples.
const MAX_EXAMPLES: usize = 8;
/// How much of a value or message an example shows.
const MAX_EXAMPLE_CHARS: usize = 200;

/// What one client thread counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// By method.
    pub methods: Vec<MethodTally>,
    /// Errors, the first few kinds with an example.
    pub examples: Vec<ErrorTally>,
    /// Wrong answers, the first few.
    pub wrong_answers: Vec<WrongAnswer>,
}

/// What was counted for one method.
#[derive(Debug, Default, Clone)]
pub struct MethodTally {
    /// Calls with the right answer.
    pub good: u64,
    /// Calls with a wrong answer.
    pub wrong: u64,
    /// Calls without an answer, by class.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// Bytes that the codec wrote, over the good calls.
    pub encoded_request_bytes: u64,
    /// Bytes that the codec read.
    pub encoded_response_bytes: u64,
    /// What the arguments' information needs.
    pub payload_request_bytes: u64,
    /// What the answers' information needs.
    pub payload_response_bytes: u64,
}

/// One kind of error with an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorTally {
    /// The class.
    pub class: ErrorClass,
    /// The protocol's own code.
    pub code: Option<i64>,
    /// What the error said, the first time.
    pub message: String,
    /// How often it was seen.
    pub count: u64,
}

/// A wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongAnswer {
    /// The method's position.
    pub method: usize,
    /// What it should have been.
    pub expected: String,
    /// What it was.
    pub found: String,
}

/// The bytes of one good call.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallBytes {
    /// Written by the codec.
    pub encoded_request: u64,
    /// Read by the codec.
    pub encoded_response: u64,
    /// The information in the arguments.
    pub payload_request: u64,
    /// The information in the answer.
    pub payload_response: u64,
}

impl Tally {
    /// A tally for `methods` methods.
    #[must_use]
    pub fn new(methods: usize) -> Self {
        Self { methods: vec![MethodTally::default(); methods], ..Self::default() }
    }

    /// Counts a good call.
    pub fn good(&mut self, method: usize, bytes: CallBytes) {
        if let Some(tally) = self.methods.get_mut(method) {
            tally.good += 1;
            tally.encoded_request_bytes += bytes.encoded_request;
            tally.encoded_response_bytes += bytes.encoded_response;
            tally.payload_request_bytes += bytes.payload_request;
            tally.payload_response_bytes += bytes.payload_response;
        }
    }

    /// Counts a wrong answer.
    pub fn wrong(&mut self, method: usize, expected: &Value, found: &Value) {
        if let Some(tally) = self.methods.get_mut(method) {
            tally.wrong += 1;
        }
        if self.wrong_answers.len() < MAX_EXAMPLES {
            let (expected, found) = (shorten(&format!("{expected:?}")), shorten(&format!("{found:?}")));
            self.wrong_answers.push(WrongAnswer { method, expected, found });
        }
    }

    /// Counts a call without an answer.
    pub fn failed(&mut self, method: usize, error: &CallError) {
        let class = error.class();
        let code = match error {
            CallError::Remote(fault) => fault.code,
            _ => None,
        };
        self.count(method, class, code, || error.to_string());
    }

    /// Counts a call that was due but never sent.
    pub fn unsent(&mut self, method: usize) {
        self.count(method, ErrorClass::Unsent, None, || {
            String::from("due, but no slot came free before the round ended")
        });
    }

    fn count(
        &mut self,
        method: usize,
        class: ErrorClass,
        code: Option<i64>,
        message: impl FnOnce() -> String,
    ) {
        if let Some(tally) = self.methods.get_mut(method) {
            *tally.errors.entry(class).or_default() += 1;
        }
        if let Some(example) =
            self.examples.iter_mut().find(|example| example.class == class && example.code == code)
        {
            example.count += 1;
        } else if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(ErrorTally { class, code, message: shorten(&message()), count: 1 });
        }
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: Tally) {
        for (mine, theirs) in self.methods.iter_mut().zip(other.methods) {
            mine.good += theirs.good;
            mine.wrong += theirs.wrong;
            mine.encoded_request_bytes += theirs.encoded_request_bytes;
            mine.encoded_response_bytes += theirs.encoded_response_bytes;
            mine.payload_request_bytes += theirs.payload_request_bytes;
            mine.payload_response_bytes += theirs.payload_response_bytes;
            for (class, count) in theirs.errors {
                *mine.errors.entry(class).or_default() += count;
            }
        }
        for example in other.examples {
            let same = |mine: &&mut ErrorTally| mine.class == example.class && mine.code == example.code;
            if let Some(mine) = self.examples.iter_mut().find(same) {
                mine.count += example.count;
            } else if self.examples.len() < MAX_EXAMPLES {
                self.examples.push(example);
            }
        }
        self.wrong_answers.extend(other.wrong_answers);
        self.wrong_answers.truncate(MAX_EXAMPLES);
    }

    /// Calls of all methods and outcomes.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.methods.iter().map(|tally| tally.good + tally.wrong + tally.errors.values().sum::<u64>()).sum()
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_EXAMPLE_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_bounded_and_short_whatever_arrives() {
        let mut tally = Tally::new(1);
        for code in 0..100 {
            let fault = crate::rpc::Fault {
                code: Some(code),
                ..crate::rpc::Fault::unknown_method(&"x".repeat(9_999))
            };
            tally.failed(0, &CallError::Remote(fault));
        }
        assert_eq!(tally.methods[0].errors[&ErrorClass::Remote], 100);
        assert_eq!(tally.examples.len(), MAX_EXAMPLES);
        assert!(tally.examples[0].message.chars().count() <= MAX_EXAMPLE_CHARS + 1);
    }

    #[test]
    fn merging_adds_up() {
        let (mut one, mut two) = (Tally::new(1), Tally::new(1));
        one.good(0, CallBytes { encoded_request: 5, ..CallBytes::default() });
        two.good(0, CallBytes { encoded_request: 7, ..CallBytes::default() });
        two.failed(0, &CallError::Timeout { after_ms: 1 });
        one.merge(two);
        assert_eq!((one.calls(), one.methods[0].good, one.methods[0].encoded_request_bytes), (3, 2, 12));
    }
}

//! Counts of calls, errors and wrong answers, and bytes, per method.

use std::sync::Arc;

use crate::result::{ErrorExample, MethodCounts, WrongAnswer};
use crate::rpc::{CallError, ErrorClass};

/// How many different errors and wrong answers are kept as examples.
const MAX_EXAMPLES: usize = 8;
/// How much of an error's message an example shows.
const MAX_MESSAGE_CHARS: usize = 200;

/// What one client thread counted. Its size does not depend on the number of calls.
#[derive(Debug, Default)]
pub struct Tally {
    names: Arc<[Arc<str>]>,
    /// By method.
    pub methods: Vec<MethodCounts>,
    /// Errors, the first few kinds with an example.
    pub examples: Vec<ErrorExample>,
    /// Wrong answers, the first few.
    pub wrong_answers: Vec<WrongAnswer>,
}

/// The bytes of one call.
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
    /// The items of a stream; `None` where the method does not stream.
    pub items: Option<u64>,
}

impl Tally {
    /// A tally for the methods of these names.
    #[must_use]
    pub fn new(names: &Arc<[Arc<str>]>) -> Self {
        Self {
            names: Arc::clone(names),
            methods: vec![MethodCounts::default(); names.len()],
            examples: Vec::new(),
            wrong_answers: Vec::new(),
        }
    }

    /// Counts a call with the right answer.
    pub fn good(&mut self, method: usize, bytes: CallBytes) {
        if let Some(counts) = self.methods.get_mut(method) {
            counts.calls += 1;
            counts.request_encoded_bytes += bytes.encoded_request;
            counts.response_encoded_bytes += bytes.encoded_response;
            counts.request_payload_bytes += bytes.payload_request;
            counts.response_payload_bytes += bytes.payload_response;
            if let Some(items) = bytes.items {
                *counts.items.get_or_insert(0) += items;
            }
        }
    }

    /// Counts a call with a wrong answer. `example` tells what was expected and what was found.
    pub fn wrong(&mut self, method: usize, bytes: CallBytes, example: impl FnOnce() -> (String, String)) {
        self.good(method, bytes);
        self.wrong_answer(method, example);
    }

    /// Counts a wrong answer of a call that is counted elsewhere: a stream goes on after a wrong item.
    pub fn wrong_answer(&mut self, method: usize, example: impl FnOnce() -> (String, String)) {
        if let Some(counts) = self.methods.get_mut(method) {
            counts.wrong_answers += 1;
        }
        if self.wrong_answers.len() < MAX_EXAMPLES {
            let name = self.names.get(method).map_or("", |name| &**name);
            let (expected, found) = example();
            self.wrong_answers.push(WrongAnswer::new(name, &expected, &found));
        }
    }

    /// Counts a call without an answer.
    pub fn failed(&mut self, method: usize, error: &CallError) {
        let code = match error {
            CallError::Remote(fault) => fault.code,
            _ => None,
        };
        self.count(method, 1, error.class(), code, || error.to_string());
    }

    /// Counts calls that were due but never sent.
    pub fn unsent(&mut self, method: usize, calls: u64) {
        let message = || String::from("due, but no slot came free before the round ended");
        self.count(method, calls, ErrorClass::Unsent, None, message);
    }

    fn count(
        &mut self,
        method: usize,
        calls: u64,
        class: ErrorClass,
        code: Option<i64>,
        message: impl FnOnce() -> String,
    ) {
        if let Some(counts) = self.methods.get_mut(method) {
            *counts.errors.entry(class).or_default() += calls;
        }
        self.add_example(class, code, calls, message);
    }

    fn add_example(
        &mut self,
        class: ErrorClass,
        code: Option<i64>,
        count: u64,
        message: impl FnOnce() -> String,
    ) {
        let known = self.examples.iter_mut().find(|example| example.class == class && example.code == code);
        if let Some(example) = known {
            example.count += count;
        } else if self.examples.len() < MAX_EXAMPLES {
            let message: String = message().chars().take(MAX_MESSAGE_CHARS).collect();
            self.examples.push(ErrorExample { class, code, message, count });
        }
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: Tally) {
        for (mine, theirs) in self.methods.iter_mut().zip(other.methods) {
            mine.calls += theirs.calls;
            mine.wrong_answers += theirs.wrong_answers;
            mine.request_encoded_bytes += theirs.request_encoded_bytes;
            mine.response_encoded_bytes += theirs.response_encoded_bytes;
            mine.request_payload_bytes += theirs.request_payload_bytes;
            mine.response_payload_bytes += theirs.response_payload_bytes;
            if let Some(items) = theirs.items {
                *mine.items.get_or_insert(0) += items;
            }
            for (class, count) in theirs.errors {
                *mine.errors.entry(class).or_default() += count;
            }
        }
        for example in other.examples {
            self.add_example(example.class, example.code, example.count, || example.message);
        }
        self.wrong_answers.extend(other.wrong_answers);
        self.wrong_answers.truncate(MAX_EXAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Fault;

    fn tally() -> Tally {
        Tally::new(&Arc::from([Arc::from("ping")]))
    }

    #[test]
    fn examples_are_bounded_and_short_whatever_arrives() {
        let mut tally = tally();
        for code in 0..100 {
            let fault = Fault { code: Some(code), ..Fault::unknown_method(&"x".repeat(9_999)) };
            tally.failed(0, &CallError::Remote(fault));
        }
        assert_eq!(tally.methods[0].errors[&ErrorClass::Remote], 100);
        assert_eq!(tally.examples.len(), MAX_EXAMPLES);
        assert_eq!(tally.examples[0].message.chars().count(), MAX_MESSAGE_CHARS);
    }

    #[test]
    fn merging_adds_up() {
        let (mut one, mut two) = (tally(), tally());
        one.good(0, CallBytes { encoded_request: 5, ..CallBytes::default() });
        two.good(0, CallBytes { encoded_request: 7, items: Some(3), ..CallBytes::default() });
        two.wrong(0, CallBytes::default(), || ("null".into(), "1".into()));
        two.failed(0, &CallError::Timeout { after_ms: 1 });
        one.merge(two);
        let counts = &one.methods[0];
        assert_eq!((counts.calls, counts.wrong_answers, counts.request_encoded_bytes), (3, 1, 12));
        assert_eq!(counts.items, Some(3));
        assert_eq!(counts.errors[&ErrorClass::Timeout], 1);
        assert_eq!(one.wrong_answers[0].found, "1");
    }
}

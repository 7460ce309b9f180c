//! Several calls in one message, answered together in their order.

use std::cmp::Reverse;

use super::{Begun, Dispatcher, Late, no_answer};
use crate::clock::now_ns;
use crate::protocol::{CallKey, Part};
use crate::rpc::{Fault, FaultKind};
use crate::transport::{MAX_MESSAGE_BYTES, Replies, Status};

/// What an envelope writes around an answer, a fault's members among it, at the most.
const AROUND_AN_ANSWER_BYTES: usize = 256;

impl Dispatcher {
    /// Answers every part, one after the other: their service times add up.
    pub(super) fn several(&mut self, call: CallKey, parts: Vec<Part>, replies: &mut dyn Replies) {
        let at_ns = now_ns();
        let mut due_ns = at_ns;
        let mut bytes = 0_usize;
        let mut answers = Vec::with_capacity(parts.len());
        for part in parts {
            let answer = match part {
                Part::Refused(fault) => Err(fault),
                Part::Call { method, arguments } => match self.envelope.own_answer(&method, &arguments) {
                    Some(answer) => answer,
                    None => self.part(&method, &arguments, &mut due_ns),
                },
            };
            // A short message may ask for the same large answer again and again: every one is counted
            // before the next is made.
            let answer_bytes = match &answer {
                Ok(answer) => answer.len(),
                Err(fault) => fault.name.len().saturating_add(fault.message.len()),
            };
            bytes = answer_bytes.saturating_add(AROUND_AN_ANSWER_BYTES).saturating_add(bytes);
            if bytes > MAX_MESSAGE_BYTES {
                let text = format!("the answers are larger than {MAX_MESSAGE_BYTES} bytes together");
                return self.fail(call, &Fault::new(FaultKind::TooLarge, text), replies);
            }
            answers.push(answer);
        }
        self.body.clear();
        self.envelope.join(call, &answers, &mut self.body);
        if due_ns <= at_ns {
            return self.reply(call, Status::OK, replies);
        }
        let held = match self.holding.hold(self.body.len()) {
            Ok(held) => held,
            Err(fault) => return self.fail(call, &fault, replies),
        };
        let body = std::mem::take(&mut self.body);
        self.late.push(Reverse(Late {
            due_ns,
            arrived_ns: at_ns,
            begins_ns: at_ns,
            call,
            body,
            status: Status::OK,
            stamps: None,
            _held: held,
        }));
    }

    /// The answer of one part: the codec's bytes. Moves `due_ns` on by its service time.
    fn part(&mut self, name: &str, arguments: &[u8], due_ns: &mut u64) -> Result<Vec<u8>, Fault> {
        let Begun { position, outcome, due_ns: after_ns, is_late, .. } =
            self.begin(name, arguments, Some(*due_ns), None)?;
        if is_late {
            *due_ns = after_ns;
        }
        if let Some(fault) = outcome.fault {
            return Err(fault);
        }
        let answer = self.service.methods[position].answer.value(&self.arguments);
        let answer = answer.ok_or_else(no_answer)?;
        let mut body = Vec::new();
        let encoded =
            self.prepared.methods[position].result.encode(std::slice::from_ref(&*answer), &mut body);
        encoded.map_err(|error| Fault::new(FaultKind::Internal, error.to_string()))?;
        Ok(body)
    }
}

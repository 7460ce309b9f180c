//! Several calls in one message, answered together in their order.

use std::cmp::Reverse;

use super::{Begun, Dispatcher, Late, no_answer};
use crate::clock::now_ns;
use crate::protocol::{CallKey, Part};
use crate::rpc::{Fault, FaultKind};
use crate::transport::{MAX_MESSAGE_BYTES, Replies, Status};

impl Dispatcher {
    /// Answers every part, one after the other: their service times add up.
    pub(super) fn several(&mut self, call: CallKey, parts: Vec<Part>, replies: &mut dyn Replies) {
        let at_ns = now_ns();
        let mut due_ns = at_ns;
        let mut bytes = 0;
        let mut answers = Vec::with_capacity(parts.len());
        for part in parts {
            let answer = match part {
                Part::Answered(answer) => answer,
                Part::Call { method, arguments } => self.part(&method, &arguments, &mut due_ns),
            };
            // A short message may ask for the same large answer again and again.
            bytes += answer.as_ref().map_or(0, Vec::len);
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

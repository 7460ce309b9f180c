//! Streams under way: a burst of items per visit, as far as the peer takes them, until their deadline.

use super::late::Held;
use super::{Dispatcher, too_late};
use crate::clock::now_ns;
use crate::protocol::{CallKey, ServerEnvelope, ServerStamps};
use crate::rpc::Value;
use crate::transport::{Replies, Status};

/// A stream under way: the same item again and again.
pub(super) struct Stream {
    pub(super) call: CallKey,
    pub(super) method: usize,
    pub(super) item: Value,
    pub(super) left: u64,
    pub(super) not_before_ns: u64,
    pub(super) deadline_ns: Option<u64>,
    /// Until the first item is sent, where the call is sampled.
    pub(super) stamps: Option<ServerStamps>,
    pub(super) _held: Held,
}

impl Dispatcher {
    /// Sends what streams may send. Returns when the next one may begin, or the past for "at once".
    pub(super) fn stream(&mut self, at_ns: u64, replies: &mut dyn Replies) -> Option<u64> {
        let mut next_ns: Option<u64> = None;
        let mut index = 0;
        while index < self.streams.len() {
            let stream = &mut self.streams[index];
            if stream.deadline_ns.is_some_and(|deadline_ns| deadline_ns <= at_ns) {
                let call = stream.call;
                self.streams.swap_remove(index);
                self.fail(call, &too_late(), replies);
                continue;
            }
            next_ns = next_ns.into_iter().chain(stream.deadline_ns).min();
            if stream.not_before_ns > at_ns {
                let wake_ns = stream.not_before_ns;
                next_ns = Some(next_ns.map_or(wake_ns, |next| next.min(wake_ns)));
                index += 1;
                continue;
            }
            // A burst per visit, so that one stream does not starve the others.
            let mut burst = 64;
            while stream.left > 0 && burst > 0 && may_go_on(&*self.envelope, stream.call, replies) {
                self.body.clear();
                if let Some(stamps) = &mut stream.stamps {
                    stamps.encoding_ns = now_ns();
                }
                self.envelope.begin_reply(stream.call, true, &mut self.body);
                let codecs = &self.prepared.methods[stream.method];
                if codecs.result.encode(std::slice::from_ref(&stream.item), &mut self.body).is_err() {
                    // Checked before the server was started; a stream cut short is seen by the client.
                    stream.left = 0;
                    break;
                }
                self.envelope.end_reply(stream.call, true, &mut self.body);
                if let (Some(mut stamps), Some(log)) = (stream.stamps.take(), &self.prepared.records.stages) {
                    stamps.encoded_ns = now_ns();
                    stamps.answered_ns = stamps.encoded_ns;
                    log.add(stamps);
                }
                replies.message(stream.call.reply_to, &mut self.body);
                stream.left -= 1;
                burst -= 1;
            }
            let may_go_on = may_go_on(&*self.envelope, stream.call, replies);
            if stream.left == 0 && may_go_on {
                let call = stream.call;
                self.streams.swap_remove(index);
                self.body.clear();
                self.envelope.end_stream(call, &mut self.body);
                if !self.body.is_empty() {
                    replies.message(call.reply_to, &mut self.body);
                }
                replies.end(call.reply_to, Status::OK);
                self.envelope.finish(call);
                continue;
            }
            if may_go_on {
                // The burst is over: go on once this much is written.
                next_ns = Some(0);
            }
            index += 1;
        }
        next_ns
    }
}

/// Whether another message of a stream may be sent. Credit first: asking for room is asking to be told
/// when there is some.
fn may_go_on(envelope: &dyn ServerEnvelope, call: CallKey, replies: &dyn Replies) -> bool {
    envelope.may_send(call) && replies.has_room(call.reply_to)
}

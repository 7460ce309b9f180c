//! The server's end.

use std::collections::HashMap;
use std::sync::Arc;

use super::channels::{Channels, Due};
use super::event::{self, Event, Ids, MAX_ID_BYTES};
use super::introspect;
use crate::protocol::{Asked, CallKey, Posted, ServerEnvelope};
use crate::rpc::{Fault, FaultKind, Service};
use crate::transport::{Incoming, ReplyTo, Status, StatusKind};

/// The slot of a call that is over as soon as it is answered.
const NO_SLOT: u32 = u32::MAX;

/// The server's end of one socket.
pub(super) struct Server {
    service: Arc<Service>,
    ids: Ids,
    sent: u64,
    max_open_calls: usize,
    channels: Channels<Call>,
    /// Channels by peer and id, for heartbeats and credit. Filled only when one of them comes, because
    /// most calls are over before.
    index: HashMap<(u32, Id), u32>,
    /// Open channels that are not in the index.
    unindexed: usize,
}

struct Call {
    reply_to: ReplyTo,
    id: Id,
    version: Version,
    indexed: bool,
    /// Events that the client still takes.
    credit: u32,
}

/// A message id, as MessagePack.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Id {
    length: u8,
    bytes: [u8; MAX_ID_BYTES],
}

/// What an opening event's `v` means for the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    /// Before version 2: errors are one text, and the server waits for the first heartbeat.
    first: bool,
    /// Before version 3: heartbeats carry credit.
    credit_in_heartbeats: bool,
}

impl Id {
    fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_ID_BYTES];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { length: u8::try_from(id.len()).ok()?, bytes })
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Server {
    pub(super) fn new(service: &Arc<Service>, max_open_calls: usize) -> Self {
        Self {
            service: Arc::clone(service),
            ids: Ids::new(),
            sent: 0,
            max_open_calls,
            channels: Channels::new(),
            index: HashMap::new(),
            unindexed: 0,
        }
    }

    /// The call of a key, unless it is over and its place has another owner.
    fn call(&mut self, key: CallKey) -> Option<&mut Call> {
        self.channels.get_mut(key.slot).filter(|call| call.reply_to == key.reply_to)
    }

    fn close(&mut self, slot: u32) {
        let Some(call) = self.channels.close(slot) else { return };
        if !call.indexed {
            self.unindexed = self.unindexed.saturating_sub(1);
            return;
        }
        let key = (call.reply_to.peer, call.id);
        if self.index.get(&key) == Some(&slot) {
            self.index.remove(&key);
        }
    }

    /// Begins an event on a call's channel that costs credit. Says whether the call is open.
    fn begin(&mut self, key: CallKey, name: &str, out: &mut Vec<u8>) -> bool {
        let Some(call) = self.call(key) else { return false };
        call.credit = call.credit.saturating_sub(1);
        let id = call.id;
        self.sent += 1;
        event::begin(&self.ids, self.sent, Some(id.as_slice()), name, out);
        true
    }

    /// An event of an open channel.
    fn session_event(&mut self, peer: u32, id: Id, event: &Event<'_>, now_ns: u64) {
        self.index_all();
        let Some(&slot) = self.index.get(&(peer, id)) else { return };
        self.channels.heard(slot, now_ns);
        let Some(call) = self.channels.get_mut(slot) else { return };
        let gives_credit = match event.name {
            Some("_zpc_more") => true,
            Some("_zpc_hb") => call.version.credit_in_heartbeats,
            _ => false,
        };
        if gives_credit {
            call.credit = call.credit.saturating_add(credit(event.args));
        }
    }

    /// Puts the channels that opened since the last time into the index. They are the last in the line,
    /// but for those whose heartbeat was due meanwhile, so each is passed once.
    fn index_all(&mut self) {
        if self.unindexed == 0 {
            return;
        }
        let mut found = Vec::with_capacity(self.unindexed);
        for slot in self.channels.newest_first() {
            if self.channels.get(slot).is_some_and(|call| !call.indexed) {
                found.push(slot);
                if found.len() == self.unindexed {
                    break;
                }
            }
        }
        self.unindexed = 0;
        // Oldest first: of two calls with one id the younger gets the events, as in Python.
        for slot in found.into_iter().rev() {
            let Some(call) = self.channels.get_mut(slot) else { continue };
            call.indexed = true;
            self.index.insert((call.reply_to.peer, call.id), slot);
        }
    }

    /// A call that is answered at once.
    fn answered<'a>(
        &mut self,
        reply_to: ReplyTo,
        id: Id,
        answer: Result<Vec<u8>, (Fault, bool)>,
    ) -> Asked<'a> {
        let mut body = Vec::new();
        self.sent += 1;
        match answer {
            Ok(result) => {
                event::begin(&self.ids, self.sent, Some(id.as_slice()), "OK", &mut body);
                event::put_array(1, &mut body);
                body.extend_from_slice(&result);
            }
            Err((fault, first_version)) => {
                event::begin(&self.ids, self.sent, Some(id.as_slice()), "ERR", &mut body);
                put_fault(&fault, first_version, &mut body);
            }
        }
        Asked::Answered { call: CallKey { reply_to, slot: NO_SLOT }, body }
    }

    fn call_event<'a>(&mut self, reply_to: ReplyTo, id: Id, event: &Event<'a>, now_ns: u64) -> Asked<'a> {
        let version = Version {
            first: event.version.is_none_or(|version| version < 2),
            credit_in_heartbeats: event.version.is_none_or(|version| version < 3),
        };
        let refused = |fault| Err((fault, version.first));
        let Some(method) = event.name else {
            let fault = Fault::new(FaultKind::UnknownMethod, "the name of a method has to be text");
            return self.answered(reply_to, id, refused(fault));
        };
        if method.starts_with("_zpc_") {
            return Asked::Nothing;
        }
        if method.starts_with(introspect::PREFIX) {
            let mut result = Vec::new();
            let answer = introspect::answer(&self.service, method, event.args, &mut result);
            let answer = answer.map(|()| result).map_err(|fault| (fault, version.first));
            return self.answered(reply_to, id, answer);
        }
        if self.channels.len() >= self.max_open_calls {
            let text = format!("{} calls are open; retry when some are answered", self.max_open_calls);
            return self.answered(reply_to, id, refused(Fault::new(FaultKind::Internal, text)));
        }
        let call = Call { reply_to, id, version, indexed: false, credit: 1 };
        let slot = self.channels.open(now_ns, version.first, call);
        self.unindexed += 1;
        Asked::Call { call: CallKey { reply_to, slot }, method: method.into(), arguments: event.args }
    }
}

impl ServerEnvelope for Server {
    fn key(&self, incoming: &Incoming<'_>) -> Option<u64> {
        event::number_of_call(incoming.body)
    }

    fn open<'a>(&mut self, incoming: Incoming<'a>, now_ns: u64, _outbox: &mut Vec<Posted>) -> Asked<'a> {
        let Some(event) = Event::parse(incoming.body) else { return Asked::Nothing };
        if let Some(channel) = event.response_to {
            if let Some(id) = Id::new(channel) {
                self.session_event(incoming.reply_to.peer, id, &event, now_ns);
            }
            return Asked::Nothing;
        }
        match event.message_id.and_then(Id::new) {
            Some(id) => self.call_event(incoming.reply_to, id, &event, now_ns),
            None => Asked::Nothing,
        }
    }

    fn begin_reply(&mut self, call: CallKey, item: bool, out: &mut Vec<u8>) {
        let open = self.begin(call, if item { "STREAM" } else { "OK" }, out);
        if open && !item {
            event::put_array(1, out);
        }
    }

    fn end_reply(&mut self, _call: CallKey, _item: bool, _out: &mut Vec<u8>) {}

    fn fault(&mut self, call: CallKey, fault: &Fault, out: &mut Vec<u8>) -> Status {
        let first_version = self.call(call).is_some_and(|call| call.version.first);
        if self.begin(call, "ERR", out) {
            put_fault(fault, first_version, out);
        }
        Status::new(status_kind(fault.kind), "")
    }

    fn end_stream(&mut self, call: CallKey, out: &mut Vec<u8>) {
        if self.begin(call, "STREAM_DONE", out) {
            event::put_nil(out);
        }
    }

    fn may_send(&self, call: CallKey) -> bool {
        let open = self.channels.get(call.slot).filter(|open| open.reply_to == call.reply_to);
        open.is_some_and(|open| open.credit > 0)
    }

    fn finish(&mut self, call: CallKey) {
        if self.call(call).is_some() {
            self.close(call.slot);
        }
    }

    fn tick(&mut self, now_ns: u64, outbox: &mut Vec<Posted>, lost: &mut Vec<CallKey>) -> Option<u64> {
        while let Some(due) = self.channels.due(now_ns) {
            let (Due::Beat(slot) | Due::Lost(slot)) = due;
            let Some(call) = self.channels.get(slot) else { continue };
            let (reply_to, id) = (call.reply_to, call.id);
            if due == Due::Lost(slot) {
                lost.push(CallKey { reply_to, slot });
                self.close(slot);
                continue;
            }
            self.sent += 1;
            let mut body = Vec::with_capacity(128);
            event::begin(&self.ids, self.sent, Some(id.as_slice()), "_zpc_hb", &mut body);
            event::put_number(0, &mut body);
            outbox.push(Posted { to: reply_to, body });
        }
        self.channels.next_due_ns()
    }
}

/// The number in `[n]`; 0 for anything else, which Python logs and ignores.
fn credit(mut args: &[u8]) -> u32 {
    let number = event::array(&mut args).and_then(|_| event::take(&mut args)).and_then(event::int);
    number.map_or(0, |number| u32::try_from(number.clamp(0, i64::from(u32::MAX))).unwrap_or(u32::MAX))
}

fn status_kind(kind: FaultKind) -> StatusKind {
    match kind {
        FaultKind::UnknownMethod => StatusKind::UnknownMethod,
        FaultKind::BadArguments => StatusKind::BadArguments,
        FaultKind::Application => StatusKind::Application,
        FaultKind::TooLarge => StatusKind::TooLarge,
        FaultKind::DeadlineExceeded => StatusKind::DeadlineExceeded,
        FaultKind::Internal => StatusKind::Internal,
    }
}

/// `[name, message, traceback]`, or `[repr]` for a request before version 2.
fn put_fault(fault: &Fault, first_version: bool, out: &mut Vec<u8>) {
    if first_version {
        let escaped = fault.message.replace('\\', "\\\\").replace('\'', "\\'");
        event::put_array(1, out);
        event::put_text(&format!("{}('{escaped}')", fault.name), out);
        return;
    }
    event::put_array(3, out);
    event::put_text(&fault.name, out);
    event::put_text(&fault.message, out);
    match &fault.traceback {
        Some(traceback) => event::put_text(traceback, out),
        // Python's client shows this text as the whole error.
        None => event::put_text(&format!("{}: {}\n", fault.name, fault.message), out),
    }
}

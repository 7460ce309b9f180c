//! The client's end.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::INBOX;
use super::channels::{Channels, Due};
use super::event::{self, Event, Ids};
use crate::protocol::{ClientEnvelope, Opened, Posted};
use crate::rpc::{Fault, FaultKind, Service};
use crate::transport::{ReplyTo, Status, StatusKind};

/// Clients have one peer: where a posted message goes is not asked.
const NOWHERE: ReplyTo = ReplyTo { peer: 0, id: 0 };

/// The body of an event that breaks the rules: no MessagePack value, so that the call it belongs to fails
/// with a protocol error at once. An error of the envelope's could not name the call.
const NO_VALUE: &[u8] = &[];

/// The client's end of one connection.
pub(super) struct Client {
    /// Ids of calls: their number is the caller's id.
    calls: Ids,
    /// Ids of heartbeats and credit, which nobody answers.
    session: Ids,
    posted: u64,
    /// What stands behind the id: the version and the method's name.
    heads: Vec<Vec<u8>>,
    channels: Channels<Call>,
    slots: HashMap<u64, u32, BuildHasherDefault<IdHasher>>,
}

/// Hashes ids of calls by one multiplication (Fibonacci hashing). The caller makes them and no peer
/// can choose one, so they need no defence against collisions on purpose.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // 2^64 divided by the golden ratio. The table takes its place from the low bits and its
        // tag from the high ones; ids differ in the low bits (a slot) and the ones above (a generation).
        self.0 = (self.0.rotate_left(5) ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

struct Call {
    id: u64,
    /// Events that the server may still send, as far as it was told.
    reserved: u32,
}

impl Client {
    pub(super) fn new(service: &Service) -> Self {
        Self::with_ids(service, Ids::new())
    }

    pub(super) fn with_ids(service: &Service, calls: Ids) -> Self {
        let head = |name: &str| {
            let mut head = Vec::new();
            event::put_text(name, &mut head);
            head
        };
        Self {
            calls,
            session: Ids::new(),
            posted: 0,
            heads: service.methods.iter().map(|method| head(&method.method.name)).collect(),
            channels: Channels::new(),
            slots: HashMap::default(),
        }
    }

    /// An event of the session's own on a call's channel.
    fn post(&mut self, id: u64, name: &str, number: u32) -> Posted {
        let (mut channel, mut body) = (Vec::with_capacity(34), Vec::with_capacity(128));
        self.calls.write(id, &mut channel);
        self.posted += 1;
        event::begin(&self.session, self.posted, Some(&channel), name, &mut body);
        event::put_number(number, &mut body);
        Posted { to: NOWHERE, body }
    }

    /// Counts an item against the credit, and gives more when less than half the inbox is on its way.
    fn count_item(&mut self, slot: u32, version: i64, outbox: &mut Vec<Posted>) {
        let Some(call) = self.channels.get_mut(slot) else { return };
        call.reserved = call.reserved.saturating_sub(1);
        if call.reserved >= INBOX / 2 {
            return;
        }
        let more = INBOX - call.reserved;
        call.reserved = INBOX;
        let id = call.id;
        // Before version 3 heartbeats carried the credit.
        let name = if version < 3 { "_zpc_hb" } else { "_zpc_more" };
        outbox.push(self.post(id, name, more));
    }
}

impl ClientEnvelope for Client {
    fn begin_call(&mut self, id: u64, method: usize, now_ns: u64, out: &mut Vec<u8>) {
        event::begin_header(&self.calls, id, None, out);
        if let Some(head) = self.heads.get(method) {
            out.extend_from_slice(head);
        }
        let slot = self.channels.open(now_ns, false, Call { id, reserved: 1 });
        if let Some(forgotten) = self.slots.insert(id, slot) {
            self.channels.close(forgotten);
        }
    }

    fn end_call(&mut self, _out: &mut Vec<u8>) {}

    fn open<'a>(
        &mut self,
        _id: Option<u64>,
        body: &'a [u8],
        now_ns: u64,
        outbox: &mut Vec<Posted>,
    ) -> Result<Opened<'a>, String> {
        let Some(event) = Event::parse(body) else { return Ok(Opened::Nothing) };
        let id = event.response_to.and_then(|response_to| self.calls.number(response_to));
        let Some((id, slot)) = id.and_then(|id| Some((id, *self.slots.get(&id)?))) else {
            return Ok(Opened::Nothing);
        };
        self.channels.heard(slot, now_ns);
        match event.name {
            Some("OK") => {
                self.forget(id);
                Ok(Opened::Answer { id, body: first_argument(event.args).unwrap_or(NO_VALUE) })
            }
            Some("ERR") => {
                self.forget(id);
                Ok(match fault(event.version.unwrap_or(1), event.args) {
                    Some(fault) => Opened::Fault { id, fault },
                    None => Opened::Answer { id, body: NO_VALUE },
                })
            }
            Some("STREAM") => {
                self.count_item(slot, event.version.unwrap_or(0), outbox);
                Ok(Opened::Item { id, body: event.args })
            }
            Some("STREAM_DONE") => {
                self.forget(id);
                Ok(Opened::End { id })
            }
            Some("_zpc_hb" | "_zpc_more") => Ok(Opened::Nothing),
            _ => {
                self.forget(id);
                Ok(Opened::Answer { id, body: NO_VALUE })
            }
        }
    }

    fn fault_of(&self, status: &Status) -> Fault {
        let kind = match status.kind {
            StatusKind::UnknownMethod => FaultKind::UnknownMethod,
            StatusKind::BadArguments => FaultKind::BadArguments,
            StatusKind::TooLarge => FaultKind::TooLarge,
            StatusKind::DeadlineExceeded => FaultKind::DeadlineExceeded,
            StatusKind::Internal => FaultKind::Internal,
            StatusKind::Ok | StatusKind::Application | StatusKind::Other => FaultKind::Application,
        };
        Fault::new(kind, status.message.clone())
    }

    fn tick(&mut self, now_ns: u64, outbox: &mut Vec<Posted>, lost: &mut Vec<u64>) -> Option<u64> {
        while let Some(due) = self.channels.due(now_ns) {
            let (Due::Beat(slot) | Due::Lost(slot)) = due;
            let Some(id) = self.channels.get(slot).map(|call| call.id) else { continue };
            if due == Due::Lost(slot) {
                self.forget(id);
                lost.push(id);
            } else {
                outbox.push(self.post(id, "_zpc_hb", 0));
            }
        }
        self.channels.next_due_ns()
    }

    fn forget(&mut self, id: u64) {
        if let Some(slot) = self.slots.remove(&id) {
            self.channels.close(slot);
        }
    }
}

/// The first value of an `OK` event's arguments; whatever follows it is ignored, as Python does.
fn first_argument(mut args: &[u8]) -> Option<&[u8]> {
    match event::array(&mut args)? {
        0 => None,
        1 => Some(args),
        _ => event::take(&mut args),
    }
}

/// `[name, message, traceback]`; before version 2 `[text]`.
fn fault(version: i64, mut args: &[u8]) -> Option<Fault> {
    let count = event::array(&mut args)?;
    let mut next = || event::take(&mut args);
    if version < 2 || count == 1 {
        let text = printable(next()?);
        return Some(Fault { name: "RemoteError".into(), ..Fault::new(FaultKind::Application, text) });
    }
    let (name, message, traceback) = (next()?, next()?, next()?);
    let name = printable(name);
    let kind = match &*name {
        "NameError" => FaultKind::UnknownMethod,
        "TypeError" => FaultKind::BadArguments,
        "TooLarge" => FaultKind::TooLarge,
        "TimeoutError" => FaultKind::DeadlineExceeded,
        "InternalError" => FaultKind::Internal,
        _ => FaultKind::Application,
    };
    let traceback = event::text(traceback).map(str::to_owned);
    Some(Fault { kind, code: None, name, message: printable(message), traceback })
}

/// Text as it is, anything else in a form that shows what came.
fn printable(value: &[u8]) -> String {
    match event::text(value) {
        Some(text) => text.to_owned(),
        None => event::binary(value).map_or_else(
            || format!("MessagePack {value:02x?}"),
            |bytes| String::from_utf8_lossy(bytes).into_owned(),
        ),
    }
}

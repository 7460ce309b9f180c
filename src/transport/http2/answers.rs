//! The calls of a connection that is being served, and the replies to them.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Waker};

use h2::SendStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::framing::{Buffers, Framed, Unsent};
use super::server::Reading;
use super::wakeups::{StreamWaker, Wakeups};
use crate::transport::{Replies, ReplyTo, Status, grpc};

/// A larger buffer for bodies is given back to the system.
pub(super) const KEPT_BYTES: usize = 256 << 10;

/// The calls of a connection.
pub(super) struct Answers {
    places: Vec<Place>,
    free: Vec<usize>,
    buffers: Buffers,
    media_type: HeaderValue,
    headers: HeaderMap,
    ok: HeaderMap,
    wakeups: Arc<Wakeups>,
    /// How many calls have ended since this was last set to 0.
    pub(super) ended: usize,
    /// The handler waits for a call to have room.
    pub(super) is_room_awaited: Cell<bool>,
}

/// A place for a call, with what is used again by the next.
struct Place {
    call: Option<Call>,
    joined: Vec<u8>,
    /// Tells a late reply to the last call here from a reply to this one.
    generation: u32,
    /// What the calls here have not written.
    unsent: Unsent,
    note: Arc<StreamWaker>,
    waker: Waker,
}

/// A call from its headers to its trailers.
pub(super) struct Call {
    /// The request until it is complete.
    pub(super) request: Option<Reading>,
    /// The body so far, where it has come in several pieces.
    pub(super) joined: Vec<u8>,
    /// The client packs its messages and reads packed ones: replies are packed, too.
    gzip: bool,
    reply: Reply,
    stream: h2::StreamId,
}

enum Reply {
    Unanswered(SendResponse<Framed>),
    Begun(SendStream<Framed>),
}

/// Why a request does not reach the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The client gave up.
    Gone,
    Encoding,
    TooLarge,
    Malformed(&'static str),
}

impl Call {
    /// The call's stream.
    pub(super) fn stream(&self) -> h2::StreamId {
        self.stream
    }

    /// Whether the client has reset the stream; where not, the waker is registered for it.
    pub(super) fn poll_given_up(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.reply {
            Reply::Unanswered(respond) => respond.poll_reset(cx).is_ready(),
            Reply::Begun(stream) => stream.poll_reset(cx).is_ready(),
        }
    }
}

impl Answers {
    pub(super) fn new(media_type: &str, wakeups: &Arc<Wakeups>) -> Self {
        let media_type = HeaderValue::from_str(media_type);
        let media_type = media_type.unwrap_or(HeaderValue::from_static("application/grpc"));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type.clone());
        Self {
            places: Vec::new(),
            free: Vec::new(),
            buffers: Buffers::default(),
            media_type,
            headers,
            ok: trailers(&Status::OK),
            wakeups: Arc::clone(wakeups),
            ended: 0,
            is_room_awaited: Cell::new(false),
        }
    }

    /// Takes a request, or refuses it by its head.
    pub(super) fn open(&mut self, request: Reading, mut respond: SendResponse<Framed>) {
        let expected = self.media_type.as_bytes();
        let is_expected = |value: &HeaderValue| {
            value.as_bytes().get(..expected.len()).is_some_and(|start| start.eq_ignore_ascii_case(expected))
        };
        let code = if request.method() != Method::POST {
            StatusCode::METHOD_NOT_ALLOWED
        } else if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_expected) {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        } else {
            return self.occupy(request, respond);
        };
        let mut response = Response::new(());
        *response.status_mut() = code;
        if code == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        // An error is a client that has gone.
        let _ = respond.send_response(response, true);
    }

    fn occupy(&mut self, request: Reading, respond: SendResponse<Framed>) {
        let index = self.free.pop().unwrap_or_else(|| {
            let note = StreamWaker::new(self.places.len(), &self.wakeups);
            let waker = Waker::from(Arc::clone(&note));
            let (joined, unsent) = (Vec::new(), Unsent::default());
            self.places.push(Place { call: None, joined, generation: 0, unsent, note, waker });
            self.places.len() - 1
        });
        let place = &mut self.places[index];
        place.generation = place.generation.wrapping_add(1);
        let joined = std::mem::take(&mut place.joined);
        let gzip = grpc::answers_gzip(request.headers());
        let stream = respond.stream_id();
        let reply = Reply::Unanswered(respond);
        place.call = Some(Call { request: Some(request), joined, gzip, reply, stream });
        // Its first look reads what has come with the headers.
        place.waker.wake_by_ref();
    }

    /// The call in a place that was woken, with its waker.
    pub(super) fn look_at(&mut self, index: usize) -> Option<(Waker, &mut Call)> {
        let place = self.places.get_mut(index)?;
        place.note.rearm();
        let call = place.call.as_mut()?;
        Some((place.waker.clone(), call))
    }

    pub(super) fn reply_to(&self, index: usize) -> ReplyTo {
        let generation = self.places.get(index).map_or(0, |place| place.generation);
        ReplyTo { peer: 0, id: u64::from(generation) << 32 | index as u64 }
    }

    /// Gives a body's buffer back, and watches for the client giving up a call that has no answer yet.
    pub(super) fn await_end(&mut self, index: usize, mut joined: Vec<u8>) {
        let Some(place) = self.places.get_mut(index) else { return };
        if joined.capacity() <= KEPT_BYTES {
            joined.clear();
            place.joined = joined;
        }
        if place.call.is_some() {
            place.waker.wake_by_ref();
        }
    }

    /// Forgets a call.
    pub(super) fn close(&mut self, index: usize) {
        if let Some(place) = self.places.get_mut(index)
            && place.call.take().is_some()
        {
            self.free.push(index);
        }
    }

    /// Forgets a call that the handler may still want to answer.
    pub(super) fn close_next(&mut self) -> Option<ReplyTo> {
        let is_handled = |place: &Place| place.call.as_ref().is_some_and(|call| call.request.is_none());
        let index = self.places.iter().position(is_handled)?;
        let reply_to = self.reply_to(index);
        self.close(index);
        Some(reply_to)
    }

    /// Answers a request that does not reach the handler.
    pub(super) fn refuse(&mut self, index: usize, refusal: Refusal) {
        let (code, message) = match refusal {
            Refusal::Gone => return self.close(index),
            Refusal::Encoding => {
                (grpc::UNIMPLEMENTED, "the grpc-encoding is not supported; identity and gzip are")
            }
            Refusal::TooLarge => (grpc::RESOURCE_EXHAUSTED, "the message is larger than this server takes"),
            Refusal::Malformed(what) => (grpc::INTERNAL, what),
        };
        let mut fields = trailers(&grpc::status(code, message.into()));
        if refusal == Refusal::Encoding {
            let accepted = HeaderValue::from_static(grpc::ACCEPTED_ENCODINGS);
            fields.insert("grpc-accept-encoding", accepted);
        }
        self.end_with(self.reply_to(index), fields);
    }

    /// Ends a call with these trailers.
    fn end_with(&mut self, to: ReplyTo, mut fields: HeaderMap) {
        let Some(index) = self.find(to) else { return };
        let Some(call) = &mut self.places[index].call else { return };
        // An error is a client that has gone.
        match &mut call.reply {
            Reply::Begun(stream) => {
                let _ = stream.send_trailers(fields);
            }
            Reply::Unanswered(respond) => {
                fields.insert(header::CONTENT_TYPE, self.media_type.clone());
                let mut response = Response::new(());
                *response.headers_mut() = fields;
                let _ = respond.send_response(response, true);
            }
        }
        self.ended += 1;
        self.close(index);
    }

    /// The place of the call that a reply is for, if it still waits for one.
    fn find(&self, to: ReplyTo) -> Option<usize> {
        let index = usize::try_from(to.id & u64::from(u32::MAX)).ok()?;
        let place = self.places.get(index)?;
        (u64::from(place.generation) == to.id >> 32 && place.call.is_some()).then_some(index)
    }
}

impl Replies for Answers {
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>) {
        let Some(index) = self.find(to) else { return };
        let Place { call, unsent, .. } = &mut self.places[index];
        let Some(call) = call else { return };
        if let Reply::Unanswered(respond) = &mut call.reply {
            let mut response = Response::new(());
            *response.headers_mut() = self.headers.clone();
            if call.gzip {
                response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
            }
            match respond.send_response(response, false) {
                Ok(stream) => call.reply = Reply::Begun(stream),
                // The client has given up: its wake-up tells the handler.
                Err(_) => return,
            }
        }
        if let Reply::Begun(stream) = &mut call.reply {
            let _ = stream.send_data(self.buffers.frame(body, call.gzip, unsent), false);
        }
    }

    fn end(&mut self, to: ReplyTo, status: Status) {
        let fields = if status == Status::OK { self.ok.clone() } else { trailers(&status) };
        self.end_with(to, fields);
    }

    fn has_room(&self, to: ReplyTo) -> bool {
        let Some(index) = self.find(to) else { return true };
        let calls = self.places.len() - self.free.len();
        let has_room = self.places[index].unsent.bytes() < grpc::unsent_share_bytes(calls);
        self.is_room_awaited.set(self.is_room_awaited.get() || !has_room);
        has_room
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", HeaderValue::from(grpc::code_of(status)));
    if !status.message.is_empty()
        && let Ok(message) = HeaderValue::from_str(&grpc::encode_message(&status.message))
    {
        fields.insert("grpc-message", message);
    }
    fields
}

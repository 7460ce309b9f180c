//! No network: a connection whose server end lives in the client. It shows the harness's own floor,
//! and lets codecs be compared without a transport.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{
    Carries, Connection, Delivery, Handler, Incoming, LocalFuture, NULL, Opening, Outgoing, Replies, ReplyTo,
    Server, Status, Traffic, Transport, TransportError, Wiring,
};
use crate::clock::PreciseTimer;

/// The transport.
#[derive(Debug)]
pub(super) struct Null;

impl Transport for Null {
    fn name(&self) -> &'static str {
        NULL
    }

    fn carries(&self) -> Carries {
        Carries { id: true, method: false, status: false }
    }

    fn max_in_flight(&self) -> usize {
        1 << 16
    }

    fn connect<'a>(
        &'a self,
        target: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        let failed = |reason: String| TransportError::Connect { target: target.into(), reason };
        let handler = wiring.local_handlers.as_ref().map(|handlers| handlers());
        let connection = match (handler, PreciseTimer::new()) {
            (Some(handler), Ok(timer)) => Ok(Box::new(NullConnection {
                handler,
                timer,
                requests: Messages::default(),
                replies: Messages::default(),
                traffic: Traffic::default(),
            }) as Box<dyn Connection>),
            (None, _) => Err(failed("the null transport needs a service in this process".into())),
            (_, Err(error)) => Err(failed(error.to_string())),
        };
        Box::pin(std::future::ready(connection))
    }

    fn bind<'a>(
        &'a self,
        address: &'a str,
        _wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>> {
        let reason = "the null transport has no network; its server end lives in the client".into();
        Box::pin(std::future::ready(Err(TransportError::Bind { address: address.into(), reason })))
    }
}

/// Messages in one buffer, which is reused.
#[derive(Default)]
struct Messages {
    bytes: Vec<u8>,
    /// The id and the end of each.
    ends: Vec<(u64, usize)>,
    /// The handler waits for room.
    is_awaited: Cell<bool>,
}

impl Messages {
    fn push(&mut self, id: u64, body: &[u8]) {
        self.bytes.extend_from_slice(body);
        self.ends.push((id, self.bytes.len()));
    }

    fn drain(&mut self, mut each: impl FnMut(u64, &[u8])) {
        let mut start = 0;
        for &(id, end) in &self.ends {
            each(id, &self.bytes[start..end]);
            start = end;
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

impl Replies for Messages {
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>) {
        self.push(to.id, body);
    }

    fn end(&mut self, _to: ReplyTo, _status: Status) {}

    fn has_room(&self, _to: ReplyTo) -> bool {
        let has_room = self.bytes.len() < 1 << 20;
        self.is_awaited.set(self.is_awaited.get() || !has_room);
        has_room
    }
}

struct NullConnection {
    handler: Box<dyn Handler>,
    timer: PreciseTimer,
    requests: Messages,
    replies: Messages,
    traffic: Traffic,
}

impl Connection for NullConnection {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        self.traffic.sent_bytes += outgoing.body.len() as u64;
        self.requests.push(outgoing.id, outgoing.body);
        Ok(())
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Result<(), TransportError> {
        let Self { handler, requests, replies, .. } = self;
        requests.drain(|id, body| {
            handler.handle(
                Incoming {
                    reply_to: ReplyTo { peer: 0, id },
                    path: None,
                    body,
                    deadline_ns: None,
                    key: Some(id),
                },
                replies,
            );
        });
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        loop {
            if let Err(error) = self.poll_flush(cx) {
                return Poll::Ready(error);
            }
            let next_ns = self.handler.work(&mut self.replies);
            let delivered = !self.replies.ends.is_empty();
            let traffic = &mut self.traffic;
            self.replies.drain(|id, body| {
                traffic.received_bytes += body.len() as u64;
                sink(Delivery::Message { id: Some(id), body });
            });
            // The replies were delivered, so there is room.
            let next_ns = if self.replies.is_awaited.take() { Some(0) } else { next_ns };
            match next_ns.map(|next_ns| self.timer.poll_until(cx, next_ns)) {
                Some(Poll::Ready(Ok(()))) if delivered => {
                    // More is due already, but what was delivered makes room first.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Ready(Err(error))) => return Poll::Ready(TransportError::reset(error)),
                None | Some(Poll::Pending) => return Poll::Pending,
            }
        }
    }

    fn cancel(&mut self, id: u64) -> bool {
        self.handler.cancelled(ReplyTo { peer: 0, id });
        true
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn opening(&self) -> Opening {
        Opening::default()
    }
}

//! The client's end: a DEALER, driven inside [`Connection::poll`].

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use zeromq::{DealerRecvHalf, DealerSendHalf, DealerSocket, SocketEvent, SocketRecv, SocketSend};

use super::backlog::{Backlog, PEER_MESSAGES, Queue};
use super::frames;
use crate::transport::{Connection, Delivery, Opening, Outgoing, Traffic, TransportError, Wiring};

/// What a socket reports about its peers.
pub(super) type Monitor = Pin<Box<dyn Stream<Item = SocketEvent>>>;

/// Messages delivered in one poll before others on this thread have their turn; the crate's writer is
/// one of them.
const TURN: usize = 256;

/// A connected DEALER.
pub(super) struct Client {
    sender: DealerSendHalf,
    receiver: DealerRecvHalf,
    monitor: Monitor,
    /// Submitted and not yet given to the crate; at most [`PEER_MESSAGES`].
    submitted: VecDeque<(u64, Bytes)>,
    queue: Arc<Queue>,
    id_frame: bool,
    max_message_bytes: usize,
    traffic: Traffic,
    opening: Opening,
    over: Option<TransportError>,
}

impl Client {
    pub(super) fn new(socket: DealerSocket, monitor: Monitor, wiring: &Wiring, opening: Opening) -> Self {
        let (sender, receiver) = socket.split();
        Self {
            sender,
            receiver,
            monitor,
            submitted: VecDeque::new(),
            queue: Queue::new(&Arc::new(Backlog::default())),
            id_frame: wiring.id_frame,
            max_message_bytes: wiring.max_message_bytes,
            traffic: Traffic { sent_bytes: frames::HANDSHAKE_BYTES, received_bytes: frames::HANDSHAKE_BYTES },
            opening,
            over: None,
        }
    }

    fn end(&mut self, error: TransportError) -> TransportError {
        self.over.get_or_insert(error).clone()
    }

    /// The next message, if one is there.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<zeromq::ZmqMessage, TransportError>> {
        // Dropping a pending `recv` loses nothing: what was read lies in the socket.
        self.receiver.recv().as_mut().poll(cx).map_err(TransportError::reset)
    }

    fn deliver(
        &mut self,
        message: &zeromq::ZmqMessage,
        sink: &mut dyn FnMut(Delivery<'_>),
    ) -> Result<(), TransportError> {
        self.traffic.received_bytes += frames::wire_bytes(message, 0);
        let Some((id, body)) = frames::unpack(message, 0, self.id_frame) else {
            return Err(TransportError::protocol("a message without an id frame of 8 bytes before the body"));
        };
        if body.len() <= self.max_message_bytes {
            sink(Delivery::Message { id, body });
            return Ok(());
        }
        let reason = format!("a message of {} bytes, more than {}", body.len(), self.max_message_bytes);
        match id {
            Some(id) => sink(Delivery::Failed { id, error: TransportError::Refused { reason } }),
            None => return Err(TransportError::Protocol { reason }),
        }
        Ok(())
    }

    /// Whether the monitor has seen the peer go.
    fn peer_is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready(Some(event)) = self.monitor.as_mut().poll_next(cx) {
            if matches!(event, SocketEvent::Disconnected(_)) {
                return true;
            }
        }
        false
    }
}

impl Connection for Client {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        if !self.queue.takes_more() {
            let reason = format!("{PEER_MESSAGES} messages wait for a peer that does not read");
            return Err(TransportError::Refused { reason });
        }
        self.submitted.push_back((outgoing.id, self.queue.take(outgoing.body)));
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        while let Some((id, body)) = self.submitted.pop_front() {
            let Some(message) = frames::pack(None, self.id_frame.then_some(id), body) else { continue };
            let bytes = frames::wire_bytes(&message, 0);
            let sent = self.sender.send(message).as_mut().poll(cx);
            match sent {
                Poll::Ready(Ok(())) => self.traffic.sent_bytes += bytes,
                Poll::Ready(Err(error)) => return Err(self.end(TransportError::reset(error))),
                // Its queue has ten times the room that `submit` fills.
                Poll::Pending => return Err(self.end(TransportError::reset("the send queue is full"))),
            }
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        if let Some(error) = &self.over {
            return Poll::Ready(error.clone());
        }
        // A send fails when the peer is gone, and its last replies may be here already.
        let flushed = self.poll_flush(cx);
        for _ in 0..TURN {
            let received = match self.receive(cx) {
                Poll::Ready(received) => received,
                Poll::Pending if flushed.is_ok() && !self.peer_is_gone(cx) => return Poll::Pending,
                Poll::Pending => {
                    return Poll::Ready(self.end(TransportError::reset("the peer closed the connection")));
                }
            };
            if let Err(error) = received.and_then(|message| self.deliver(&message, sink)) {
                return Poll::Ready(self.end(error));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn cancel(&mut self, _id: u64) -> bool {
        // ZeroMQ has no message for it; a late reply is the session's to ignore.
        true
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn opening(&self) -> Opening {
        self.opening
    }
}

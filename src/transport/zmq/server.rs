//! The server's end: a ROUTER with one handler for all its peers.

use std::sync::Arc;
use std::task::{Context, Poll};

use zeromq::util::PeerIdentity;
use zeromq::{MultiPeerBackend, RouterRecvHalf, RouterSendHalf, RouterSocket};
use zeromq::{Socket, SocketEvent, SocketRecv, SocketSend, ZmqMessage};

use super::backlog::Backlog;
use super::client::Monitor;
use super::frames;
use super::peers::{MAX_PEERS, Peers};
use crate::clock::PreciseTimer;
use crate::transport::{Handler, HandlerFactory, Incoming, LocalFuture, Replies, ReplyTo, Server, Status};
use crate::transport::{TransportError, Wiring};

/// Most messages handled before the crate's writers have their turn on this thread, whatever
/// `write_batch` says.
const LONGEST_TURN: usize = 512;

/// A bound ROUTER.
pub(super) struct Listening {
    socket: RouterSocket,
    monitor: Monitor,
    local: String,
    wiring: Arc<Wiring>,
}

impl Listening {
    pub(super) fn new(socket: RouterSocket, monitor: Monitor, local: String, wiring: Arc<Wiring>) -> Self {
        Self { socket, monitor, local, wiring }
    }
}

impl Server for Listening {
    fn address(&self) -> String {
        self.local.clone()
    }

    fn run(self: Box<Self>, handlers: HandlerFactory) -> LocalFuture<'static, TransportError> {
        Box::pin(async move {
            let timer = match PreciseTimer::new() {
                Ok(timer) => timer,
                Err(error) => return TransportError::reset(error),
            };
            let backend = self.socket.backend();
            let (sender, receiver) = self.socket.split();
            let backlog = Arc::new(Backlog::default());
            let outlet = Outlet {
                sender,
                peers: Peers::new(MAX_PEERS, Arc::clone(&backlog)),
                backlog,
                id_frame: self.wiring.id_frame,
                undelivered: Vec::new(),
            };
            let mut serving = Serving {
                receiver,
                monitor: self.monitor,
                backend,
                handler: handlers(),
                outlet,
                timer,
                turn: self.wiring.write_batch.clamp(1, LONGEST_TURN),
                id_frame: self.wiring.id_frame,
                max_message_bytes: self.wiring.max_message_bytes,
                messages: 0,
            };
            std::future::poll_fn(|cx| serving.poll(cx)).await
        })
    }
}

struct Serving {
    receiver: RouterRecvHalf,
    monitor: Monitor,
    backend: Arc<dyn MultiPeerBackend>,
    handler: Box<dyn Handler>,
    outlet: Outlet,
    timer: PreciseTimer,
    turn: usize,
    id_frame: bool,
    max_message_bytes: usize,
    messages: u64,
}

impl Serving {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TransportError> {
        self.outlet.backlog.wake(cx.waker());
        let mut drained = false;
        for _ in 0..self.turn {
            let received = self.receiver.recv().as_mut().poll(cx);
            match received {
                Poll::Ready(Ok(message)) => self.take(&message),
                Poll::Ready(Err(error)) => return Poll::Ready(TransportError::reset(error)),
                Poll::Pending => {
                    drained = true;
                    break;
                }
            }
        }
        while let Poll::Ready(Some(event)) = self.monitor.as_mut().poll_next(cx) {
            if let SocketEvent::Disconnected(identity) = event {
                self.outlet.peers.forget(identity.as_ref());
            }
        }
        let next_ns = self.handler.work(&mut self.outlet);
        self.cancel_undelivered();
        if !drained {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        next_ns.map_or(Poll::Pending, |due_ns| self.wake_at(cx, due_ns))
    }

    /// Arranges for the next poll at a time.
    fn wake_at(&mut self, cx: &mut Context<'_>, due_ns: u64) -> Poll<TransportError> {
        match self.timer.poll_until(cx, due_ns) {
            Poll::Ready(Err(error)) => return Poll::Ready(TransportError::reset(error)),
            // The crate's writers have their turn first.
            Poll::Ready(Ok(())) => cx.waker().wake_by_ref(),
            Poll::Pending => {}
        }
        Poll::Pending
    }

    fn take(&mut self, message: &ZmqMessage) {
        let Some(identity) = message.get(0) else { return };
        let Some((id, body)) = frames::unpack(message, 1, self.id_frame) else { return };
        if body.len() > self.max_message_bytes {
            // As libzmq with ZMQ_MAXMSGSIZE: whoever sends too much is disconnected.
            if let Ok(peer) = PeerIdentity::try_from(identity.clone()) {
                self.backend.peer_disconnected(&peer);
            }
            return;
        }
        self.messages += 1;
        // Without an id frame the message's ordinal tells the calls of a peer apart.
        let reply_to = ReplyTo { peer: self.outlet.peers.number(identity), id: id.unwrap_or(self.messages) };
        self.handler
            .handle(Incoming { reply_to, path: None, body, deadline_ns: None, key: id }, &mut self.outlet);
        self.cancel_undelivered();
    }

    fn cancel_undelivered(&mut self) {
        while let Some(reply_to) = self.outlet.undelivered.pop() {
            self.handler.cancelled(reply_to);
        }
    }
}

/// Where the handler's replies go.
struct Outlet {
    sender: RouterSendHalf,
    peers: Peers,
    backlog: Arc<Backlog>,
    id_frame: bool,
    /// Calls whose reply could not be sent; emptied after every message and every work.
    undelivered: Vec<ReplyTo>,
}

impl Outlet {
    /// Gives a reply to the crate. Says whether it took it.
    fn send(&mut self, to: ReplyTo, body: &mut Vec<u8>) -> bool {
        let Some((identity, queue)) = self.peers.get(to.peer) else { return false };
        if !queue.takes_more() {
            return false;
        }
        let (identity, id) = (identity.clone(), self.id_frame.then_some(to.id));
        let Some(message) = frames::pack(Some(identity), id, queue.take(body)) else { return false };
        // A reply never waits: the peer's own bound lies far below the crate's.
        let mut context = Context::from_waker(std::task::Waker::noop());
        matches!(self.sender.send(message).as_mut().poll(&mut context), Poll::Ready(Ok(())))
    }
}

impl Replies for Outlet {
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>) {
        if !self.send(to, body) {
            body.clear();
            if self.undelivered.last() != Some(&to) {
                self.undelivered.push(to);
            }
        }
    }

    fn end(&mut self, _to: ReplyTo, _status: Status) {}

    fn has_room(&self, to: ReplyTo) -> bool {
        // A peer that has left is told so by the next message, which cancels its call.
        self.peers.get(to.peer).is_none_or(|(_, queue)| queue.has_room())
    }
}

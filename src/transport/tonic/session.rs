//! A connection's handler, shared by the futures that tonic makes for its requests and by the task
//! that lets the handler work. tonic wants everything to be `Send`, hence the lock.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock::now_ns;
use crate::transport::counted::Counters;
use crate::transport::work_timer::WorkTimer;
use crate::transport::{Handler, Incoming, Replies, ReplyTo, Status, grpc, http_key};

/// A part of a reply: a message, or the status that ends it where that is an error.
type Part = Result<Vec<u8>, tonic::Status>;

/// What a connection's requests share.
pub(super) struct Session {
    state: Mutex<State>,
    /// The handler waits for a call to have room.
    is_room_awaited: Arc<AtomicBool>,
    peer_port: u16,
    /// Requests so far.
    requests: AtomicU64,
}

struct State {
    handler: Box<dyn Handler>,
    calls: Calls,
    /// Whether the handler took a message since it was last told to work.
    has_handled: bool,
    due_ns: Option<u64>,
    worker: Option<Waker>,
}

/// The calls that wait for replies.
struct Calls {
    senders: HashMap<u64, Sender>,
    next_id: u64,
    is_room_awaited: Arc<AtomicBool>,
}

/// Where the parts of a reply go.
struct Sender {
    /// Unbounded, but a stream pauses while much is unsent, and HTTP/2 bounds the streams.
    parts: UnboundedSender<Part>,
    /// Bytes of messages that tonic has not taken.
    unsent_bytes: Arc<AtomicUsize>,
}

impl Replies for Calls {
    fn message(&mut self, to: ReplyTo, body: &mut Vec<u8>) {
        let Some(sender) = self.senders.get(&to.id) else { return };
        sender.unsent_bytes.fetch_add(body.len(), Relaxed);
        // An error is a client that gave up, which its stream tells.
        let _ = sender.parts.send(Ok(std::mem::take(body)));
    }

    fn end(&mut self, to: ReplyTo, status: Status) {
        let Some(sender) = self.senders.remove(&to.id) else { return };
        let code = grpc::code_of(&status);
        if code != 0 {
            let code = tonic::Code::from(i32::try_from(code).unwrap_or(2));
            let _ = sender.parts.send(Err(tonic::Status::new(code, status.message)));
        }
    }

    fn has_room(&self, to: ReplyTo) -> bool {
        let Some(sender) = self.senders.get(&to.id) else { return true };
        let share_bytes = grpc::unsent_share_bytes(self.senders.len());
        let has_room = || sender.unsent_bytes.load(SeqCst) < share_bytes;
        if has_room() {
            return true;
        }
        self.is_room_awaited.store(true, SeqCst);
        // It may have been taken meanwhile.
        has_room()
    }
}

impl Session {
    pub(super) fn new(handler: Box<dyn Handler>, peer_port: u16) -> Arc<Self> {
        let is_room_awaited = Arc::<AtomicBool>::default();
        let calls =
            Calls { senders: HashMap::new(), next_id: 0, is_room_awaited: Arc::clone(&is_room_awaited) };
        let state = State { handler, calls, has_handled: false, due_ns: None, worker: None };
        Arc::new(Self { state: Mutex::new(state), is_room_awaited, peer_port, requests: AtomicU64::new(0) })
    }

    /// The key of the next request. To be asked for when its headers are there, which is in the order of the
    /// streams: bodies may come in another.
    pub(super) fn next_key(&self) -> u64 {
        http_key(self.peer_port, self.requests.fetch_add(1, Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that the handler has not seen yet; the reply comes as it is given.
    pub(super) fn open(self: &Arc<Self>) -> Reply {
        let calls = &mut self.state().calls;
        let reply_to = ReplyTo { peer: 0, id: calls.next_id };
        calls.next_id += 1;
        let (sender, parts) = unbounded_channel();
        let unsent_bytes = Arc::<AtomicUsize>::default();
        calls.senders.insert(reply_to.id, Sender { parts: sender, unsent_bytes: Arc::clone(&unsent_bytes) });
        Reply { session: Arc::clone(self), reply_to, parts, unsent_bytes, first: None }
    }

    /// Gives a message of a call to the handler.
    fn handle(&self, incoming: Incoming<'_>) {
        let mut guard = self.state();
        let State { handler, calls, has_handled, worker, .. } = &mut *guard;
        handler.handle(incoming, calls);
        *has_handled = true;
        let worker = worker.take();
        drop(guard);
        if let Some(worker) = worker {
            worker.wake();
        }
    }

    /// Lets the handler work until the connection is gone.
    pub(super) fn poll_work(
        &self,
        cx: &mut Context<'_>,
        counters: &Counters,
        timer: &mut WorkTimer,
    ) -> Poll<()> {
        if counters.poll_gone(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut guard = self.state();
        let State { handler, calls, has_handled, due_ns, worker } = &mut *guard;
        *worker = Some(cx.waker().clone());
        loop {
            let is_due = due_ns.is_some_and(|due_ns| due_ns <= now_ns());
            if std::mem::take(has_handled) || is_due {
                *due_ns = handler.work(calls);
            }
            let Some(due_ns) = *due_ns else { return Poll::Pending };
            if due_ns <= now_ns() {
                // tonic's tasks write first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if ready!(timer.poll_until(cx, due_ns)).is_err() {
                return Poll::Ready(());
            }
        }
    }

    /// A message of a call was taken: where the handler waits for room, it works again.
    fn taken(&self, unsent_bytes: &AtomicUsize, bytes: usize) {
        unsent_bytes.fetch_sub(bytes, SeqCst);
        if self.is_room_awaited.load(SeqCst) {
            let mut state = self.state();
            // Half a share is room enough, however many calls have come since.
            let share_bytes = grpc::unsent_share_bytes(state.calls.senders.len());
            if unsent_bytes.load(SeqCst) > share_bytes / 2 {
                return;
            }
            self.is_room_awaited.store(false, SeqCst);
            state.has_handled = true;
            let worker = state.worker.take();
            drop(state);
            if let Some(worker) = worker {
                worker.wake();
            }
        }
    }
}

/// The reply to a request as tonic takes it. Dropping it early is the client giving up.
pub(super) struct Reply {
    session: Arc<Session>,
    reply_to: ReplyTo,
    parts: UnboundedReceiver<Part>,
    unsent_bytes: Arc<AtomicUsize>,
    first: Option<Vec<u8>>,
}

impl Reply {
    /// Gives a message to the handler.
    pub(super) fn ask(&self, path: &str, body: &Bytes, deadline_ns: Option<u64>, key: Option<u64>) {
        let reply_to = self.reply_to;
        self.session.handle(Incoming { reply_to, path: Some(path), body, deadline_ns, key });
    }

    /// Ends the call well.
    fn end(&self) {
        self.session.state().calls.end(self.reply_to, Status::OK);
    }

    /// Waits for the first part, as tonic's unary calls do: the headers go out with it.
    pub(super) async fn begun(mut self) -> Result<Self, tonic::Status> {
        self.first = self.parts.recv().await.transpose()?;
        Ok(self)
    }
}

impl Stream for Reply {
    type Item = Part;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        let part = match self.first.take() {
            Some(body) => Some(Ok(body)),
            None => ready!(self.parts.poll_recv(cx)),
        };
        if let Some(Ok(body)) = &part {
            self.session.taken(&self.unsent_bytes, body.len());
        }
        Poll::Ready(part)
    }
}

/// A stream of requests and the reply to it: each message is given to the handler when it comes.
pub(super) struct Conversation {
    pub(super) reply: Reply,
    pub(super) path: String,
    /// `None` after its end.
    pub(super) requests: Option<tonic::Streaming<Bytes>>,
}

impl Stream for Conversation {
    type Item = Part;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        let Self { reply, path, requests } = &mut *self;
        while let Some(stream) = requests {
            match Pin::new(stream).poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(body))) => reply.ask(path, &body, None, None),
                Poll::Ready(Some(Err(status))) => {
                    *requests = None;
                    return Poll::Ready(Some(Err(status)));
                }
                Poll::Ready(None) => {
                    *requests = None;
                    reply.end();
                }
            }
        }
        Pin::new(reply).poll_next(cx)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let mut state = self.session.state();
        if state.calls.senders.remove(&self.reply_to.id).is_some() {
            state.handler.cancelled(self.reply_to);
        }
    }
}

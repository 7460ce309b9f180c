//! What the tests of transports share: a handler with a behaviour for each path, a server of it, and
//! a client that makes calls with a deadline.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::{
    Connection, Delivery, Handler, HandlerFactory, Incoming, Outgoing, Replies, ReplyTo, Status, StatusKind,
    Transport, TransportError, Wiring,
};
use crate::clock::now_ns;

/// Behaviours of the handler, by the method's position; the name is in the path and, for transports
/// without paths, the first word of the body.
pub(super) const ECHO: usize = 0;
pub(super) const LATE: usize = 1;
pub(super) const FAULT: usize = 2;
pub(super) const MANY: usize = 3;
pub(super) const NEVER: usize = 4;
pub(super) const LARGE: usize = 5;
pub(super) const UNKNOWN: usize = 6;
pub(super) const PACED: usize = 7;

/// How many messages [`MANY`] answers with.
pub(super) const MANY_MESSAGES: usize = 500;

/// How many messages [`PACED`] answers with.
pub(super) const PACED_MESSAGES: usize = 10;

/// The limit that the tests set, and the size of the reply to [`LARGE`], which is larger.
pub(super) const LIMIT_BYTES: usize = 6 << 20;

/// How late [`LATE`] answers.
const LATE_NS: u64 = 2_000_000;

pub(super) fn wiring() -> Wiring {
    Wiring {
        paths: ["echo", "late", "fault", "many", "never", "large", "nowhere", "paced"]
            .map(|name| format!("/{name}"))
            .into(),
        media_type: "application/grpc".into(),
        id_frame: true,
        max_message_bytes: LIMIT_BYTES,
        write_batch: 16,
        server_threads: 1,
        local_handlers: None,
        request_streams: Vec::new(),
        timeout_ns: None,
        gzip: false,
        named_address: None,
    }
}

/// Does what the path says; without a path it echoes.
#[derive(Default)]
pub(super) struct Behaviours {
    late: Vec<(u64, ReplyTo, Vec<u8>)>,
    many: Vec<(ReplyTo, usize)>,
    /// A stream that goes on only when the item before has arrived, which the test counts.
    paced: Option<(ReplyTo, usize)>,
    arrived: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
    cancelled: Arc<AtomicUsize>,
}

impl Handler for Behaviours {
    fn handle(&mut self, incoming: Incoming<'_>, replies: &mut dyn Replies) {
        self.received.fetch_add(1, Ordering::SeqCst);
        let to = incoming.reply_to;
        let mut body = incoming.body.to_vec();
        match incoming.path.unwrap_or("/echo") {
            "/echo" => {
                replies.message(to, &mut body);
                replies.end(to, Status::OK);
            }
            "/late" => self.late.push((now_ns() + LATE_NS, to, body)),
            "/fault" => {
                replies.message(to, &mut body);
                replies.end(to, Status::new(StatusKind::Application, "it failed, à dessein: 100%"));
            }
            "/many" => self.many.push((to, 0)),
            "/paced" => self.paced = Some((to, 0)),
            "/never" => {}
            "/large" => {
                replies.message(to, &mut vec![7; LIMIT_BYTES + 1]);
                replies.end(to, Status::OK);
            }
            _ => replies.end(to, Status::new(StatusKind::UnknownMethod, "no such path")),
        }
    }

    fn work(&mut self, replies: &mut dyn Replies) -> Option<u64> {
        let now = now_ns();
        let due = |(due_ns, ..): &mut (u64, ReplyTo, Vec<u8>)| *due_ns <= now;
        for (_, to, mut body) in self.late.extract_if(.., due) {
            replies.message(to, &mut body);
            replies.end(to, Status::OK);
        }
        self.many.retain_mut(|(to, sent)| {
            while *sent < MANY_MESSAGES && replies.has_room(*to) {
                replies.message(*to, &mut many_message(*sent));
                *sent += 1;
            }
            if *sent == MANY_MESSAGES {
                replies.end(*to, Status::OK);
            }
            *sent < MANY_MESSAGES
        });
        if let Some((to, sent)) = &mut self.paced
            && *sent == self.arrived.load(Ordering::SeqCst)
        {
            replies.message(*to, &mut vec![1]);
            *sent += 1;
            if *sent == PACED_MESSAGES {
                replies.end(*to, Status::OK);
                self.paced = None;
            }
        }
        // Soon: what was sent is on its way meanwhile.
        let paced_ns = self.paced.is_some().then(|| now_ns() + 100_000);
        self.late.iter().map(|late| late.0).chain(paced_ns).min()
    }

    fn cancelled(&mut self, reply_to: ReplyTo) {
        self.late.retain(|late| late.1 != reply_to);
        self.many.retain(|many| many.0 != reply_to);
        self.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

/// The messages of [`MANY`] differ in length, up to 8 KiB: together they fill every buffer.
pub(super) fn many_message(index: usize) -> Vec<u8> {
    let length = index * 97 % 8192;
    (0..length).map(|at| (index + at) as u8).collect()
}

/// A server of [`Behaviours`]; dropping it ends the listener but not its connections.
pub(super) struct TestServer {
    pub(super) address: String,
    pub(super) received: Arc<AtomicUsize>,
    /// What the client tells [`PACED`].
    pub(super) arrived: Arc<AtomicUsize>,
    pub(super) cancelled: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<TransportError>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) async fn start(transport: &dyn Transport, wiring: Wiring) -> TestServer {
    let server = transport.bind("127.0.0.1:0", Arc::new(wiring)).await.unwrap();
    let received = Arc::<AtomicUsize>::default();
    let cancelled = Arc::<AtomicUsize>::default();
    let arrived = Arc::<AtomicUsize>::default();
    let counters = (Arc::clone(&received), Arc::clone(&cancelled), Arc::clone(&arrived));
    let handlers: HandlerFactory = Arc::new(move || {
        let (received, cancelled, arrived) = counters.clone();
        Box::new(Behaviours { received, cancelled, arrived, ..Behaviours::default() })
    });
    let address = server.address();
    TestServer { address, received, arrived, cancelled, task: tokio::task::spawn_local(server.run(handlers)) }
}

/// What a call came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) status: Option<Status>,
    pub(super) failed: Option<TransportError>,
}

impl Outcome {
    pub(super) fn kind(&self) -> Option<StatusKind> {
        self.status.as_ref().map(|status| status.kind)
    }
}

/// A client that waits with a deadline.
pub(super) struct TestClient {
    pub(super) connection: Box<dyn Connection>,
    carries_status: bool,
    next_id: u64,
}

impl TestClient {
    pub(super) async fn connect(transport: &dyn Transport, address: &str, wiring: Wiring) -> Self {
        let connection = transport.connect(address, Arc::new(wiring)).await.unwrap();
        Self { connection, carries_status: transport.carries().status, next_id: 1 }
    }

    /// Submits a call and returns its id.
    pub(super) fn submit(&mut self, method: usize, body: &[u8]) -> Result<u64, TransportError> {
        let id = self.next_id;
        self.next_id += 1;
        let metadata = [("x-test".to_owned(), "1".to_owned())];
        let mut body = body.to_vec();
        self.connection.submit(Outgoing { id, method, metadata: &metadata, body: &mut body })?;
        Ok(id)
    }

    /// Sends a call that has no answer yet.
    pub(super) async fn begin(&mut self, method: usize, body: &[u8]) -> u64 {
        let id = self.submit(method, body).unwrap();
        let sent_bytes = self.connection.traffic().sent_bytes;
        within(poll_fn(|cx| {
            self.connection.poll_flush(cx).unwrap();
            assert!(self.connection.poll(cx, &mut |_| {}).is_pending());
            if self.connection.traffic().sent_bytes > sent_bytes { Poll::Ready(()) } else { Poll::Pending }
        }))
        .await;
        id
    }

    /// Polls until `count` calls are over; the error is the connection's end.
    pub(super) async fn wait(&mut self, count: usize) -> Result<Vec<(u64, Outcome)>, TransportError> {
        let outcomes: RefCell<Vec<(u64, Outcome)>> = RefCell::default();
        let over = RefCell::new(0);
        let carries_status = self.carries_status;
        let mut sink = |delivery: Delivery<'_>| {
            let id = match &delivery {
                Delivery::Message { id, .. } => id.unwrap_or(0),
                Delivery::End { id, .. } | Delivery::Failed { id, .. } | Delivery::Unsent { id, .. } => *id,
            };
            let mut outcomes = outcomes.borrow_mut();
            let at = outcomes.iter().position(|(other, _)| *other == id).unwrap_or_else(|| {
                outcomes.push((id, Outcome::default()));
                outcomes.len() - 1
            });
            let outcome = &mut outcomes[at].1;
            match delivery {
                Delivery::Message { body, .. } => {
                    outcome.messages.push(body.to_vec());
                    *over.borrow_mut() += usize::from(!carries_status);
                }
                Delivery::End { status, .. } => {
                    outcome.status = Some(status);
                    *over.borrow_mut() += 1;
                }
                Delivery::Failed { error, .. } | Delivery::Unsent { error, .. } => {
                    outcome.failed = Some(error);
                    *over.borrow_mut() += 1;
                }
            }
        };
        poll_until(self.connection.as_mut(), &mut sink, || *over.borrow() >= count).await?;
        Ok(outcomes.into_inner())
    }

    /// Makes one call.
    pub(super) async fn call(&mut self, method: usize, body: &[u8]) -> Result<Outcome, TransportError> {
        self.submit(method, body)?;
        let mut outcomes = self.wait(1).await?;
        assert_eq!(outcomes.len(), 1);
        Ok(outcomes.remove(0).1)
    }

    /// Waits until the connection is over.
    pub(super) async fn end(&mut self) -> TransportError {
        within(poll_fn(|cx| self.connection.poll(cx, &mut |_| {}))).await
    }
}

async fn poll_until(
    connection: &mut dyn Connection,
    sink: &mut dyn FnMut(Delivery<'_>),
    done: impl Fn() -> bool,
) -> Result<(), TransportError> {
    within(poll_fn(|cx| {
        if let Err(error) = connection.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        match connection.poll(cx, sink) {
            _ if done() => Poll::Ready(Ok(())),
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }))
    .await
}

/// Waits with a deadline.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing hangs")
}

/// Waits until something that another task does has happened.
pub(super) async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Runs a test on a runtime of its own, as a client or server thread has it.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// A server that does what `script` says with the one connection it gets.
pub(super) async fn script<F, T>(script: F) -> String
where
    F: FnOnce(tokio::net::TcpStream) -> T + 'static,
    T: Future<Output = ()> + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::task::spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(stream).await;
    });
    address
}

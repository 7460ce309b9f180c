//! ZeroMQ beyond what the conformance tests of all transports cover: frames, lost peers, bounded queues.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::transport::{
    Delivery, Handler, HandlerFactory, Incoming, MAX_MESSAGE_BYTES, Outgoing, Replies, ReplyTo,
};

fn wiring(id_frame: bool) -> Arc<Wiring> {
    Arc::new(Wiring {
        paths: Vec::new(),
        media_type: String::new(),
        id_frame,
        max_message_bytes: MAX_MESSAGE_BYTES,
        write_batch: 16,
        server_threads: 1,
        local_handlers: None,
        request_streams: Vec::new(),
        timeout_ns: None,
        gzip: false,
        named_address: None,
    })
}

/// Echoes every message: at once, or (`b"later"`) at the next work in 2 ms, or (`b"many"`) as a stream, or
/// (`b"flood"`) as a stream without end.
#[derive(Default)]
struct Echo {
    later: Vec<(u64, ReplyTo)>,
    streams: Vec<(ReplyTo, u32)>,
    floods: Vec<ReplyTo>,
}

impl Handler for Echo {
    fn handle(&mut self, incoming: Incoming<'_>, replies: &mut dyn Replies) {
        match incoming.body {
            b"later" => self.later.push((now_ns() + 2_000_000, incoming.reply_to)),
            b"many" => self.streams.push((incoming.reply_to, 0)),
            b"flood" => self.floods.push(incoming.reply_to),
            body => replies.message(incoming.reply_to, &mut body.to_vec()),
        }
    }

    fn work(&mut self, replies: &mut dyn Replies) -> Option<u64> {
        self.later.retain(|(due_ns, to)| {
            let due = *due_ns <= now_ns();
            if due {
                replies.message(*to, &mut b"later".to_vec());
            }
            !due
        });
        for (to, next) in &mut self.streams {
            while *next < 5_000 && replies.has_room(*to) {
                replies.message(*to, &mut next.to_be_bytes().to_vec());
                *next += 1;
            }
        }
        self.streams.retain(|(_, next)| *next < 5_000);
        for to in &self.floods {
            while replies.has_room(*to) {
                replies.message(*to, &mut vec![7; FLOOD_BYTES]);
                FLOODED.with(|flooded| flooded.set(flooded.get() + FLOOD_BYTES));
            }
        }
        self.later.iter().map(|(due_ns, _)| *due_ns).min()
    }

    fn cancelled(&mut self, reply_to: ReplyTo) {
        self.streams.retain(|(to, _)| *to != reply_to);
        CANCELLED.with(|cancelled| cancelled.set(cancelled.get() + 1));
    }
}

/// The size of a flood's messages.
const FLOOD_BYTES: usize = 8 << 10;

thread_local! {
    static FLOODED: Cell<usize> = const { Cell::new(0) };
    static CANCELLED: Cell<usize> = const { Cell::new(0) };
}

fn echo() -> HandlerFactory {
    Arc::new(|| Box::new(Echo::default()))
}

fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(20), test).await.unwrap();
    });
}

async fn serve(id_frame: bool) -> (String, tokio::task::JoinHandle<TransportError>) {
    let server = Zmq.bind("127.0.0.1:0", wiring(id_frame)).await.unwrap();
    let address = server.address();
    (address, tokio::task::spawn_local(server.run(echo())))
}

async fn submit(connection: &mut dyn Connection, id: u64, body: &[u8]) {
    let mut body = body.to_vec();
    connection.submit(Outgoing { id, method: 0, metadata: &[], body: &mut body }).unwrap();
    assert!(body.is_empty());
}

/// Polls until `count` messages are here.
async fn receive(connection: &mut dyn Connection, count: usize) -> Vec<(Option<u64>, Vec<u8>)> {
    let mut received = Vec::new();
    std::future::poll_fn(|cx| {
        let ended = connection.poll(cx, &mut |delivery| match delivery {
            Delivery::Message { id, body } => received.push((id, body.to_vec())),
            other => panic!("{other:?}"),
        });
        assert!(ended.is_pending(), "{ended:?}");
        if received.len() >= count { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    received
}

async fn end(connection: &mut dyn Connection) -> TransportError {
    std::future::poll_fn(|cx| connection.poll(cx, &mut |delivery| panic!("{delivery:?}"))).await
}

#[test]
fn replies_carry_the_id_of_their_call() {
    run(async {
        let (address, _server) = serve(true).await;
        let mut connection = Zmq.connect(&address, wiring(true)).await.unwrap();
        for id in 0..500 {
            submit(&mut *connection, id, format!("body {id}").as_bytes()).await;
        }
        let received = receive(&mut *connection, 500).await;
        for (id, (found, body)) in (0..500).zip(received) {
            assert_eq!((found, body), (Some(id), format!("body {id}").into_bytes()));
        }
    });
}

#[test]
fn without_an_id_frame_bodies_travel_alone() {
    run(async {
        let (address, _server) = serve(false).await;
        let mut connection = Zmq.connect(&address, wiring(false)).await.unwrap();
        submit(&mut *connection, 7, b"").await;
        submit(&mut *connection, 8, &[9; 100_000]).await;
        assert_eq!(receive(&mut *connection, 2).await, [(None, vec![]), (None, vec![9; 100_000])]);
    });
}

#[test]
fn an_answer_may_come_later_and_a_stream_is_never_cut() {
    run(async {
        let (address, _server) = serve(true).await;
        let mut connection = Zmq.connect(&address, wiring(true)).await.unwrap();
        submit(&mut *connection, 1, b"later").await;
        assert_eq!(receive(&mut *connection, 1).await, [(Some(1), b"later".to_vec())]);
        submit(&mut *connection, 2, b"many").await;
        let items = receive(&mut *connection, 5_000).await;
        assert!(items.iter().zip(0_u32..).all(|((id, body), n)| *id == Some(2) && *body == n.to_be_bytes()));
    });
}

#[test]
fn a_refused_connection_is_an_error_long_before_the_time_out() {
    run(async {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let begun_ns = now_ns();
        let error = Zmq.connect(&free, wiring(true)).await.err().unwrap();
        assert!(matches!(error, TransportError::Connect { .. }), "{error}");
        assert!(now_ns() - begun_ns < 2_000_000_000);
    });
}

#[test]
fn a_server_that_ends_resets_the_connection() {
    run(async {
        let (address, server) = serve(true).await;
        let mut connection = Zmq.connect(&address, wiring(true)).await.unwrap();
        submit(&mut *connection, 1, b"one").await;
        receive(&mut *connection, 1).await;
        server.abort();
        assert!(matches!(end(&mut *connection).await, TransportError::Reset { .. }));
        assert!(matches!(end(&mut *connection).await, TransportError::Reset { .. }));
    });
}

#[test]
fn a_reply_to_a_peer_that_left_cancels_its_call() {
    run(async {
        let (address, _server) = serve(true).await;
        let mut leaving = Zmq.connect(&address, wiring(true)).await.unwrap();
        submit(&mut *leaving, 1, b"later").await;
        submit(&mut *leaving, 2, b"now").await;
        receive(&mut *leaving, 1).await;
        drop(leaving);
        let mut staying = Zmq.connect(&address, wiring(true)).await.unwrap();
        while CANCELLED.with(Cell::get) == 0 {
            submit(&mut *staying, 3, b"still here").await;
            receive(&mut *staying, 1).await;
        }
    });
}

#[test]
fn a_peer_that_does_not_read_holds_up_no_other_and_fills_no_memory() {
    run(async {
        let (address, _server) = serve(true).await;
        let mut mute = Zmq.connect(&address, wiring(true)).await.unwrap();
        submit(&mut *mute, 1, b"flood").await;
        std::future::poll_fn(|cx| Poll::Ready(mute.poll_flush(cx))).await.unwrap();
        let mut reading = Zmq.connect(&address, wiring(true)).await.unwrap();
        // What the kernel takes of the flood it takes at once; then its peer's queue is full.
        let mut before = usize::MAX;
        while FLOODED.with(Cell::get) != before || before == 0 {
            before = FLOODED.with(Cell::get);
            submit(&mut *reading, 2, b"many").await;
            let items = receive(&mut *reading, 5_000).await;
            assert!(items.iter().all(|(id, _)| *id == Some(2)));
            submit(&mut *reading, 3, b"later").await;
            receive(&mut *reading, 1).await;
        }
        assert!(before < 64 << 20, "{before} bytes were taken for a peer that does not read");
    });
}

#[test]
fn too_large_a_message_disconnects_its_sender_and_no_one_else() {
    run(async {
        let small = Arc::new(Wiring { max_message_bytes: 10, ..(*wiring(true)).clone() });
        let server = Zmq.bind("127.0.0.1:0", small).await.unwrap();
        let address = server.address();
        tokio::task::spawn_local(server.run(echo()));
        let mut large = Zmq.connect(&address, wiring(true)).await.unwrap();
        let mut decent = Zmq.connect(&address, wiring(true)).await.unwrap();
        submit(&mut *large, 1, &[0; 11]).await;
        assert!(matches!(end(&mut *large).await, TransportError::Reset { .. }));
        submit(&mut *decent, 2, &[0; 10]).await;
        receive(&mut *decent, 1).await;
    });
}

/// Passes bytes on and counts them.
async fn tap(target: String) -> (String, Rc<Cell<u64>>, Rc<Cell<u64>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (up, down) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let counters = (Rc::clone(&up), Rc::clone(&down));
    tokio::task::spawn_local(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(target).await.unwrap();
        let (client, server) = (client.into_split(), server.into_split());
        tokio::join!(pass(client.0, server.1, counters.0), pass(server.0, client.1, counters.1));
    });
    (address, up, down)
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    count: Rc<Cell<u64>>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        count.set(count.get() + read as u64);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[test]
fn traffic_is_what_a_tap_on_the_wire_counts() {
    run(async {
        for id_frame in [true, false] {
            let (address, _server) = serve(id_frame).await;
            let (address, up, down) = tap(address).await;
            let mut connection = Zmq.connect(&address, wiring(id_frame)).await.unwrap();
            for (id, size) in [0, 1, 246, 247, 255, 256, 70_000].into_iter().enumerate() {
                submit(&mut *connection, id as u64, &vec![1; size]).await;
                receive(&mut *connection, 1).await;
            }
            let traffic = connection.traffic();
            assert_eq!((traffic.sent_bytes, traffic.received_bytes), (up.get(), down.get()));
        }
    });
}

#[test]
fn strangers_on_the_port_do_no_harm() {
    run(async {
        let (address, _server) = serve(true).await;
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[]] {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(garbage).await.unwrap();
        }
        let mut connection = Zmq.connect(&address, wiring(true)).await.unwrap();
        submit(&mut *connection, 1, b"one").await;
        receive(&mut *connection, 1).await;
    });
}

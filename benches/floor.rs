//! What the harness adds to the wire, one call at a time, both ends on one core.
//!
//! Four things side by side: the direct call of the function that answers, which is what a program in one
//! piece would pay; a bare blocking TCP ping-pong of exactly the bytes that the seed scenario's `getObj`
//! puts on the wire over binary-tcp; that call through binary-tcp, from encoding to the decoded answer; and
//! the same call over the null transport, which is everything but the network. The last line compares the
//! medians of bare TCP and binary-tcp, taken in turn, with what the project allows. Both ends share a core, because on two cores the waking of a halted core takes
//! longer than all of this.
//!
//! Takes 20 s.

#![allow(clippy::expect_used)] // A bench that cannot be set up has nothing to say.

#[path = "support/caller.rs"]
mod caller;

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use caller::{Caller, call};
use criterion::Criterion;
use wirebench::clock::now_ns;
use wirebench::host::placement::{allowed_cpus, pin_self};
use wirebench::protocol::registry;
use wirebench::rpc::{Answer, Method, Service, ServiceMethod, Type, Value};

/// How much longer than bare TCP a call may take.
const ALLOWED: f64 = 1.5;
const BLOCKS: usize = 10;
const CALLS_PER_BLOCK: usize = 2_000;

/// The seed scenario's `getObj`.
fn seed() -> Arc<Service> {
    let method = ServiceMethod {
        method: Method { name: "getObj".into(), params: vec![], returns: Type::Text },
        answer: Answer::Value(Value::Text("lqz nb".into())),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    Arc::new(Service { name: "seed".into(), methods: vec![method], seed: 42 })
}

/// A TCP connection whose other end answers every `request` bytes with `reply` bytes.
struct Bare {
    stream: TcpStream,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl Bare {
    fn new(request_bytes: usize, reply_bytes: usize, cpus: &[usize]) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let cpus = cpus.to_vec();
        std::thread::spawn(move || -> std::io::Result<()> {
            pin_self(&cpus).map_err(std::io::Error::other)?;
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let (mut request, reply) = (vec![0; request_bytes], vec![2; reply_bytes]);
            loop {
                stream.read_exact(&mut request)?;
                stream.write_all(&reply)?;
            }
        });
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: vec![1; request_bytes], reply: vec![0; reply_bytes] })
    }

    fn call(&mut self) {
        self.stream.write_all(&self.request).expect("the bare server takes requests");
        self.stream.read_exact(&mut self.reply).expect("the bare server replies");
    }
}

/// What a server does between decoding and encoding, without either: the answer, as the caller's own.
#[inline(never)]
fn answer_directly(answer: &Answer, arguments: &[Value]) -> Option<Value> {
    answer.value(arguments).map(std::borrow::Cow::into_owned)
}

fn median(mut times_ns: Vec<u64>) -> u64 {
    times_ns.sort_unstable();
    times_ns[times_ns.len() / 2]
}

fn main() {
    let cpus: Vec<usize> =
        allowed_cpus().expect("the kernel tells the CPUs").last().map(|cpu| cpu.number).into_iter().collect();
    pin_self(&cpus).expect("a CPU of this process");
    let service = seed();
    let caller = |name| Caller::new(registry::named(name, false).expect("a protocol"), &service, &cpus);

    let tcp = caller("binary-tcp");
    let mut session = tcp.run(tcp.open());
    tcp.run(call(&mut session, 0, &[]));
    let traffic = session.traffic();
    let (request_bytes, reply_bytes) = (traffic.sent_bytes as usize, traffic.received_bytes as usize);
    let mut bare = Bare::new(request_bytes, reply_bytes, &cpus).expect("a connection to this process");
    let null = caller("null");
    let mut direct = null.run(null.open());

    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group("floor");
    group.bench_function("direct call", |bencher| {
        let answer = &service.methods[0].answer;
        bencher.iter(|| answer_directly(black_box(answer), black_box(&[])));
    });
    group.bench_function("bare TCP", |bencher| bencher.iter(|| bare.call()));
    for (name, caller, session) in
        [("binary-tcp", &tcp, &mut session), ("null transport", &null, &mut direct)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| {
                let begun = Instant::now();
                caller.run(async {
                    for _ in 0..calls {
                        call(session, 0, &[]).await;
                    }
                });
                begun.elapsed()
            });
        });
    }
    group.finish();
    criterion.final_summary();
    // `cargo test --benches` runs each thing once to see that it works.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }

    let (mut bare_ns, mut ours_ns) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        for _ in 0..CALLS_PER_BLOCK {
            let begun_ns = now_ns();
            bare.call();
            bare_ns.push(now_ns() - begun_ns);
        }
        tcp.run(async {
            for _ in 0..CALLS_PER_BLOCK {
                let begun_ns = now_ns();
                call(&mut session, 0, &[]).await;
                ours_ns.push(now_ns() - begun_ns);
            }
        });
    }
    let (bare_ns, ours_ns) = (median(bare_ns), median(ours_ns));
    println!(
        "{request_bytes} bytes there, {reply_bytes} back: bare TCP p50 {bare_ns} ns, binary-tcp p50 {ours_ns} ns"
    );
    let ratio = ours_ns as f64 / bare_ns as f64;
    println!("binary-tcp p50 / bare TCP p50 = {ratio:.2} (allowed {ALLOWED})");
}

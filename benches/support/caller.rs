//! A server on a thread of this process, and sessions to it on this thread.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use wirebench::clock::now_ns;
use wirebench::host::{Serve, serve_in_process};
use wirebench::protocol::{MethodCodecs, Protocol, Session};
use wirebench::rpc::{Service, Value};
use wirebench::transport::Wiring;

/// One protocol's server and what it takes to call it.
pub struct Caller {
    protocol: Protocol,
    service: Arc<Service>,
    wiring: Arc<Wiring>,
    codecs: Rc<[MethodCodecs]>,
    target: String,
    runtime: Runtime,
    local: LocalSet,
}

impl Caller {
    /// Starts a server of `service`, which must be one that the protocol can carry, on `cpus`.
    pub fn new(protocol: Protocol, service: &Arc<Service>, cpus: &[usize]) -> Self {
        let service = Arc::clone(service);
        let wiring = protocol.wiring(&service, 1, 1).expect("the protocol carries the service");
        let target = if wiring.local_handlers.is_some() {
            String::new()
        } else {
            let (protocol, service) = (protocol.clone(), Arc::clone(&service));
            let serve = Serve { protocol, service, wiring: Arc::clone(&wiring), spin: false, log: None };
            serve_in_process(serve, cpus).expect("a server on this machine")
        };
        let codecs = MethodCodecs::prepare(protocol.codec.as_ref(), &service).expect("codecs");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { protocol, service, wiring, codecs, target, runtime, local: LocalSet::new() }
    }

    /// Runs on this thread, as a client thread of a round does.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.local.block_on(&self.runtime, future)
    }

    /// Opens a connection.
    pub async fn open(&self) -> Session {
        let connecting = self.protocol.transport.connect(&self.target, Arc::clone(&self.wiring));
        let connection = connecting.await.expect("a connection");
        Session::new(&self.protocol, &self.service, &self.codecs, connection, 1)
    }
}

/// One call from encoding to the decoded answer.
pub async fn call(session: &mut Session, method: usize, arguments: &[Value]) {
    session.submit(method, arguments, now_ns()).expect("a call");
    let mut answered = false;
    std::future::poll_fn(|cx| {
        let over = session.poll(cx, &mut |answer| {
            assert!(answer.outcome.is_ok(), "{:?}", answer.outcome);
            answered = true;
        });
        assert!(answered || over.is_pending(), "{over:?}");
        if answered { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

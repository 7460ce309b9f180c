//! A transport without a network that carries, loses or refuses each call as a script says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use wirebench::protocol::{Protocol, registry};
use wirebench::transport::{
    Carries, Connection, Delivery, LocalFuture, Opening, Outgoing, Server, Traffic, Transport,
    TransportError, Wiring,
};

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is answered.
    Carry,
    /// It is taken and never answered.
    Lose,
    /// It is not taken.
    Refuse(TransportError),
    /// The driver dies of it.
    Panic,
}

/// Says what becomes of a call, by its number among all calls, from 0, and among those of its connection.
pub type Script = fn(u64, u64) -> Fate;

/// The protocol without a network, under a script.
pub fn scripted(script: Script) -> Protocol {
    let null = registry::named("null", false).unwrap();
    let inner = null.transport;
    Protocol { transport: Box::leak(Box::new(Scripted { inner, script, calls: Arc::default() })), ..null }
}

#[derive(Debug)]
struct Scripted {
    inner: &'static dyn Transport,
    script: Script,
    calls: Arc<AtomicU64>,
}

impl Transport for Scripted {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn carries(&self) -> Carries {
        self.inner.carries()
    }

    fn max_in_flight(&self) -> usize {
        self.inner.max_in_flight()
    }

    fn connect<'a>(
        &'a self,
        target: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Connection>, TransportError>> {
        Box::pin(async move {
            let inner = self.inner.connect(target, wiring).await?;
            let (script, calls) = (self.script, Arc::clone(&self.calls));
            Ok(Box::new(Link { inner, script, calls, own: 0 }) as Box<dyn Connection>)
        })
    }

    fn bind<'a>(
        &'a self,
        address: &'a str,
        wiring: Arc<Wiring>,
    ) -> LocalFuture<'a, Result<Box<dyn Server>, TransportError>> {
        self.inner.bind(address, wiring)
    }
}

struct Link {
    inner: Box<dyn Connection>,
    script: Script,
    calls: Arc<AtomicU64>,
    own: u64,
}

impl Connection for Link {
    fn submit(&mut self, outgoing: Outgoing<'_>) -> Result<(), TransportError> {
        let fate = (self.script)(self.calls.fetch_add(1, Ordering::Relaxed), self.own);
        self.own += 1;
        match fate {
            Fate::Carry => self.inner.submit(outgoing),
            Fate::Lose => Ok(()),
            Fate::Refuse(error) => Err(error),
            Fate::Panic => panic!("as the script says"),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), TransportError> {
        self.inner.poll_flush(cx)
    }

    fn poll(&mut self, cx: &mut Context<'_>, sink: &mut dyn FnMut(Delivery<'_>)) -> Poll<TransportError> {
        self.inner.poll(cx, sink)
    }

    fn cancel(&mut self, id: u64) -> bool {
        self.inner.cancel(id)
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    fn opening(&self) -> Opening {
        self.inner.opening()
    }
}

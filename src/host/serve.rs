//! Our own servers: on this thread (`wirebench serve`), or on a thread of the client process
//! (in-process hosting, for tests, criterion and quick looks).

use std::sync::Arc;
use std::sync::mpsc;

use crate::protocol::{Protocol, Records};
use crate::rpc::Service;
use crate::transport::{TransportError, Wiring};

/// What one of our servers needs.
#[derive(Debug, Clone)]
pub struct Serve {
    /// What it speaks.
    pub protocol: Protocol,
    /// What it answers.
    pub service: Arc<Service>,
    /// How its transport is wired.
    pub wiring: Arc<Wiring>,
    /// Poll instead of letting the core halt.
    pub spin: bool,
    /// Where calls are recorded, if they are.
    pub log: Option<Records>,
}

/// Why one of our servers does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The protocol cannot carry the service.
    #[error(transparent)]
    Protocol(#[from] crate::protocol::ProtocolError),
    /// The system refused a runtime or thread.
    #[error("cannot start the server's thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Listens on `address` (`host:port`), tells `listening` the real address, and serves on this thread
/// until the transport fails.
///
/// # Errors
/// See [`ServeError`].
pub fn serve(serve: &Serve, address: &str, listening: impl FnOnce(&str)) -> Result<(), ServeError> {
    let handlers = serve.protocol.handlers_with(&serve.service, serve.log.clone().unwrap_or_default())?;
    // Late answers are timed by timers; without the slack they are only a little later.
    let _ = crate::clock::reduce_timer_slack();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let server = serve.protocol.transport.bind(address, Arc::clone(&serve.wiring)).await?;
        listening(&server.address());
        if serve.spin {
            tokio::task::spawn_local(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        Err(server.run(handlers).await.into())
    })
}

/// Starts a server on a thread of this process and returns its address. It ends with the process.
///
/// # Errors
/// See [`ServeError`].
pub fn serve_in_process(spec: Serve, cpus: &[usize]) -> Result<String, ServeError> {
    let (sender, receiver) = mpsc::channel();
    let cpus = cpus.to_vec();
    std::thread::Builder::new().name("server".into()).spawn(move || {
        // A server on another core than planned is slower, not wrong; in-process cells are labelled.
        let _ = super::placement::pin_self(&cpus);
        let ready = sender.clone();
        let ended = serve(&spec, "127.0.0.1:0", move |address| {
            let _ = ready.send(Ok(address.to_owned()));
        });
        if let Err(error) = ended {
            let _ = sender.send(Err(error));
        }
    })?;
    receiver.recv().unwrap_or_else(|_| Err(std::io::Error::other("the server's thread ended").into()))
}

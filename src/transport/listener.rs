//! Listens, and spreads connections over a server's threads.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::TransportError;
use super::socket::{Listener, Socket, StdSocket};

/// Listens on `host:port`, or on the path of a UNIX socket, and says where.
pub(crate) async fn bind(address: &str) -> Result<(Listener, String), TransportError> {
    Listener::bind(address)
        .await
        .map_err(|error| TransportError::Bind { address: address.into(), reason: error.to_string() })
}

/// Serves every connection with `serve` on its own task: on this thread where `threads` is 1, else
/// in turn on `threads` threads with a runtime each. Returns only when accepting fails for good.
pub(crate) async fn accept<F, T>(listener: Listener, threads: usize, serve: F) -> TransportError
where
    F: Fn(Socket) -> T + Send + Sync + 'static,
    T: Future<Output = ()> + 'static,
{
    let serve = Arc::new(serve);
    let workers = if threads > 1 {
        (0..threads).map(|_| start_worker(Arc::clone(&serve))).collect()
    } else {
        Vec::new()
    };
    let mut turn = 0;
    loop {
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) if is_passing(&error) => {
                // Out of descriptors or a connection that died in the queue: let others go first.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                continue;
            }
            Err(error) => return TransportError::reset(error),
        };
        if stream.set_options().is_err() {
            continue;
        }
        if workers.is_empty() {
            tokio::task::spawn_local(serve(stream));
            continue;
        }
        turn = (turn + 1) % workers.len();
        if let Ok(stream) = stream.into_std() {
            // A worker ends only with the process.
            let _ = workers[turn].send(stream);
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    let out_of_descriptors = [nix::libc::EMFILE, nix::libc::ENFILE, nix::libc::ENOBUFS, nix::libc::ENOMEM];
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
        || error.raw_os_error().is_some_and(|code| out_of_descriptors.contains(&code))
}

fn start_worker<F, T>(serve: Arc<F>) -> mpsc::UnboundedSender<StdSocket>
where
    F: Fn(Socket) -> T + Send + Sync + 'static,
    T: Future<Output = ()> + 'static,
{
    // Unbounded, but each entry is an accepted connection: the descriptor limit bounds it.
    let (sender, mut receiver) = mpsc::unbounded_channel::<StdSocket>();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            while let Some(stream) = receiver.recv().await {
                if let Ok(stream) = Socket::from_std(stream) {
                    tokio::task::spawn_local(serve(stream));
                }
            }
        });
    });
    sender
}

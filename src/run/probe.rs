//! The stamps of a round: where both sides leave them, and how they come together again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::plan::Cell;
use super::stages::join;
use crate::host::server::RunningServer;
use crate::load::StampedCall;
use crate::protocol::{ServerStamps, from_bytes};
use crate::result::StageLog;
use crate::rpc::Service;
use crate::scenario::Hosting;
use crate::transport;

/// How long a server may take to write what it recorded.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What a client process is told about stamps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageOrders {
    /// One call in so many leaves stamps.
    pub every: u32,
    /// Where the client leaves its own.
    pub client_file: PathBuf,
    /// Where it leaves those of a server in its own process.
    pub server_file: PathBuf,
}

/// The stamps of one round.
pub(super) struct Probe {
    every: u32,
    files: TempDir,
    side: Side,
}

/// Who stamps the calls at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// A process of ours.
    Ours,
    /// The client's own process.
    Client,
    /// Nobody.
    Nobody,
}

impl Probe {
    /// The stamps that a cell asks for; `None` where it asks for none, or there is no place for them.
    pub(super) fn of(cell: &Cell) -> Option<Self> {
        let every = cell.point.load.stage_samples;
        if every == 0 {
            return None;
        }
        let files = tempfile::tempdir().ok()?;
        let is_null = cell.protocol.transport.name() == transport::NULL;
        let side = match &cell.backend.hosting {
            _ if is_null => Side::Client,
            Hosting::InProcess => Side::Client,
            Hosting::Subprocess if cell.backend.command.is_none() => Side::Ours,
            Hosting::Subprocess | Hosting::External(_) => Side::Nobody,
        };
        Some(Self { every, files, side })
    }

    fn server_file(&self) -> PathBuf {
        self.files.path().join("server")
    }

    /// Where a server of ours leaves its stamps, and of how many calls one.
    pub(super) fn server_log(&self) -> Option<(PathBuf, u32)> {
        (self.side == Side::Ours).then(|| (self.server_file(), self.every))
    }

    /// What the client is told.
    pub(super) fn orders(&self) -> StageOrders {
        StageOrders {
            every: self.every,
            client_file: self.files.path().join("client"),
            server_file: self.server_file(),
        }
    }

    /// Brings the stamps together; ends the server where it is ours, which then writes its own. `None` where
    /// they cannot be had: the round is as good without.
    pub(super) fn collect(&self, server: Option<&mut RunningServer>, service: &Service) -> Option<StageLog> {
        let calls: Vec<StampedCall> =
            read(&self.orders().client_file)?.into_iter().map(StampedCall::from_words).collect();
        let streams: Vec<bool> = service.methods.iter().map(|method| method.stream_items.is_some()).collect();
        if self.side == Side::Nobody {
            return join(&calls, None, &streams);
        }
        if self.side == Side::Ours && !server.is_some_and(end_and_wait) {
            return None;
        }
        let stamps: Vec<ServerStamps> =
            read(&self.server_file())?.into_iter().map(ServerStamps::from_words).collect();
        join(&calls, Some(&stamps), &streams)
    }
}

fn read<const N: usize>(path: &Path) -> Option<Vec<[u64; N]>> {
    Some(from_bytes(&std::fs::read(path).ok()?))
}

/// Asks a server to end and waits until it has written what it recorded. Says whether it ended.
pub(super) fn end_and_wait(server: &mut RunningServer) -> bool {
    if let Ok(pid) = i32::try_from(server.child.pid()) {
        // One that has gone already has nothing to write.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    server.child.wait(Instant::now() + END_LIMIT).is_some()
}

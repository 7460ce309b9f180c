//! A free port for a foreign server, and whose it is in the end: between our choosing it and the
//! server's taking it, another process may have been faster.

use std::io;
use std::net::TcpListener;

use procfs::process::{FDTarget, Process};

use super::process_tree::descendants;

pub(super) fn free_port(host: &str) -> io::Result<u16> {
    Ok(TcpListener::bind((host, 0))?.local_addr()?.port())
}

/// Whether somebody listens at the port now.
pub(super) fn is_taken(host: &str, port: u16) -> bool {
    matches!(TcpListener::bind((host, port)), Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

/// Whether the listener at the port is certainly none of `pid` and its descendants.
pub(super) fn is_anothers(pid: u32, port: u16) -> bool {
    let Ok(root) = i32::try_from(pid) else { return false };
    let Some(listeners) = listeners(root, port).filter(|inodes| !inodes.is_empty()) else { return false };
    let mut tree = descendants(root);
    tree.push(root);
    tree.into_iter().all(|pid| certainly_holds_none(pid, &listeners))
}

fn certainly_holds_none(pid: i32, sockets: &[u64]) -> bool {
    // A process that has ended holds nothing.
    let Ok(process) = Process::new(pid) else { return true };
    match process.fd() {
        Ok(fds) => {
            !fds.flatten().any(|fd| matches!(fd.target, FDTarget::Socket(inode) if sockets.contains(&inode)))
        }
        // Another user's: we may not look.
        Err(_) => false,
    }
}

fn listeners(pid: i32, port: u16) -> Option<Vec<u64>> {
    let process = Process::new(pid).ok()?;
    let entries = process.tcp().into_iter().chain(process.tcp6()).flatten();
    let listening = entries
        .filter(|entry| entry.state == procfs::net::TcpState::Listen && entry.local_address.port() == port);
    Some(listening.map(|entry| entry.inode).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[test]
    fn a_port_is_ours_or_anothers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_taken("127.0.0.1", port));
        assert!(!is_anothers(process::id(), port));
        let mut other = process::Command::new("sleep").arg("100").spawn().unwrap();
        // Until exec has run, the child still has our descriptors.
        while std::fs::read_to_string(format!("/proc/{}/comm", other.id())).unwrap() != "sleep\n" {}
        assert!(is_anothers(other.id(), port));
        other.kill().unwrap();
        other.wait().unwrap();
        drop(listener);
    }

    #[test]
    fn a_free_port_is_nobodys() {
        let port = free_port("127.0.0.1").unwrap();
        assert!(!is_anothers(process::id(), port));
    }
}

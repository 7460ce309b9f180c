//! Back ends: what is under test and how it is hosted.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::rpc::{Compression, Listen};

/// A server under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// The name in the scenario.
    pub name: String,
    /// Which protocol it speaks.
    pub kind: BackendKind,
    /// Where it runs.
    pub hosting: Hosting,
    /// The command of a foreign server, with placeholders; `None` for one of ours.
    pub command: Option<Vec<String>>,
    /// Skipped, with the reason, where it cannot start.
    pub optional: bool,
    /// XML-RPC: write integers beyond 32 bits as `<i8>` instead of refusing them.
    pub xmlrpc_i8: bool,
    /// Replaces the load's `server_threads`.
    pub server_threads: Option<u32>,
    /// The user's own gRPC service: its types.
    pub proto: Option<ProtoFiles>,
    /// The full name of the gRPC service, where it is not ours.
    pub service: Option<String>,
    /// Headers that are sent with every call.
    pub metadata: Vec<(String, String)>,
    /// What one of our own servers listens on.
    pub listen: Listen,
    /// How our client compresses requests, and asks the server to compress its replies.
    pub compression: Compression,
}

/// The `.proto` of a user's service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtoFiles {
    /// The file: a `.proto`, or a compiled `FileDescriptorSet`.
    pub file: PathBuf,
    /// Where imports are looked for; empty for the file's own folder.
    pub include: Vec<PathBuf>,
    /// What it was compiled to when the run was planned, in base64: client processes read no files.
    pub compiled: Option<String>,
}

/// Which protocol a back end speaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// A named protocol.
    Protocol(String),
    /// A free pair.
    Pair {
        /// The codec's name.
        codec: String,
        /// The transport's name.
        transport: String,
    },
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendKind::Protocol(name) => f.write_str(name),
            BackendKind::Pair { codec, transport } => write!(f, "{codec}/{transport}"),
        }
    }
}

/// Where a back end runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hosting {
    /// A process of its own, fresh for every round.
    Subprocess,
    /// A thread of the client's process: for tests and quick looks.
    InProcess,
    /// Already running somewhere.
    External(ServerUrl),
}

impl Hosting {
    /// Every name.
    pub const NAMES: &[&str] = &["subprocess", "in-process", "external"];

    /// The name in scenarios and results.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Hosting::Subprocess => "subprocess",
            Hosting::InProcess => "in-process",
            Hosting::External(_) => "external",
        }
    }
}

/// The address of a server: `scheme://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerUrl {
    /// As it was written.
    pub url: String,
    /// What names the protocol, as `xmlrpc+http`.
    pub scheme: String,
    /// `host:port`, or the path of a UNIX socket.
    pub address: String,
    /// From the first slash on, if there is one.
    pub path: Option<String>,
}

impl ServerUrl {
    /// Takes a URL apart. Whether the scheme is known is for others to say.
    ///
    /// # Errors
    /// What is missing or wrong, in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err("a URL has no spaces".into());
        }
        let (scheme, rest) = url.split_once("://").ok_or("expected PROTOCOL+TRANSPORT://HOST:PORT")?;
        if is_unix(scheme) {
            // grpc+unix:///run/app.sock: no host, then an absolute path.
            if !rest.starts_with('/') || rest.len() < 2 || rest.ends_with('/') {
                return Err("expected the absolute path of a socket: PROTOCOL+unix:///PATH".into());
            }
            return Ok(Self { url: url.into(), scheme: scheme.into(), address: rest.into(), path: None });
        }
        let (address, path) = match rest.find('/') {
            Some(slash) => (&rest[..slash], Some(rest[slash..].to_owned())),
            None => (rest, None),
        };
        let (host, port) = address.rsplit_once(':').ok_or("the port is missing: HOST:PORT")?;
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        if host.is_empty() || host.contains('@') || (host.contains(':') && !bracketed) {
            return Err("expected a host name, an IPv4 address, or an IPv6 address in brackets".into());
        }
        if !port.bytes().all(|byte| byte.is_ascii_digit()) || !port.parse::<u16>().is_ok_and(|port| port > 0)
        {
            return Err("the port must be a whole number from 1 to 65535".into());
        }
        Ok(Self { url: url.into(), scheme: scheme.into(), address: address.into(), path })
    }
}

/// Whether a scheme's addresses are paths of UNIX sockets. ZeroMQ calls them `ipc`.
fn is_unix(scheme: &str) -> bool {
    matches!(scheme.rsplit_once('+'), Some((_, "unix" | "ipc")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_falls_into_scheme_address_and_path() {
        let url = ServerUrl::parse("xmlrpc+http://127.0.0.1:8080/RPC2").unwrap();
        assert_eq!(
            (&*url.scheme, &*url.address, url.path.as_deref()),
            ("xmlrpc+http", "127.0.0.1:8080", Some("/RPC2"))
        );
        let socket = ServerUrl::parse("grpc+unix:///run/app.sock").unwrap();
        assert_eq!((&*socket.address, socket.path), ("/run/app.sock", None));
        assert!(ServerUrl::parse("grpc+unix://run/app.sock").is_err());
        assert_eq!(ServerUrl::parse("grpc+http://[::1]:1").unwrap().address, "[::1]:1");
        for wrong in [
            "",
            "localhost:80",
            "grpc+http://host",
            "grpc+http://:80",
            "grpc+http://host:0",
            "grpc+http://host:+80",
            "grpc+http://host:65536",
            "grpc+http://::1:80",
            "grpc+http://a b:80",
        ] {
            assert!(ServerUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}

//! What `call` and `inspect` share: a server at a URL, and its errors in its own words.

use std::sync::Arc;

use crate::protocol::{Protocol, Reach, grpc_status_name, registry};
use crate::rpc::{Compression, Fault};
use crate::scenario::{ServerUrl, parse_duration_ns};
use crate::transport;

/// The exit code where no answer came.
pub(super) const NO_ANSWER: u8 = 3;

/// A server somewhere.
#[derive(Debug)]
pub(super) struct Remote {
    /// What it speaks.
    pub(super) protocol: Protocol,
    /// Where it listens.
    pub(super) address: String,
}

impl Remote {
    /// Reads a URL; connects to nothing.
    pub(super) fn open(
        url: &str,
        metadata: &[(String, String)],
        compression: Compression,
        xmlrpc_i8: bool,
    ) -> anyhow::Result<Self> {
        let parsed = ServerUrl::parse(url).map_err(|why| {
            anyhow::anyhow!("{url:?} is not the address of a server: {why}, as grpc+http://127.0.0.1:50051")
        })?;
        let mut protocol = registry::by_scheme(&parsed.scheme)?;
        if protocol.transport.name() == transport::NULL {
            anyhow::bail!("the null transport has no server");
        }
        if let (Some(name), true) = (protocol.name, xmlrpc_i8) {
            protocol = registry::named(name, true)?;
        }
        let reach = Reach { path: parsed.path, service: None, metadata: Arc::from(metadata), compression };
        let protocol = protocol.reaching(reach)?;
        Ok(Self { protocol, address: parsed.address })
    }

    pub(super) fn is_grpc(&self) -> bool {
        matches!(self.protocol.name, Some("grpc" | "grpc-tonic"))
    }

    /// Refuses protocols whose bytes do not say what they are.
    pub(super) fn needs_types(&self) -> anyhow::Result<()> {
        let codec = self.protocol.codec.name();
        if matches!(codec, "xml" | "msgpack") {
            return Ok(());
        }
        anyhow::bail!(
            "{} needs the method's types: give a scenario that declares them, --scenario FILE",
            self.protocol.label()
        )
    }

    /// A server's error as its protocol spells it.
    pub(super) fn native(&self, fault: &Fault) -> String {
        let Fault { code, name, message, traceback, .. } = fault;
        let text = match (self.protocol.name, code) {
            (Some("xmlrpc"), _) if name.starts_with("HTTP") => format!("{name}: {message}"),
            (Some("xmlrpc"), Some(code)) if name == "Fault" => format!("fault {code}: {message}"),
            (Some("xmlrpc"), Some(code)) => format!("fault {code}: {name}: {message}"),
            (Some("zerorpc"), _) => format!("ERR {name}: {message}"),
            (Some("grpc" | "grpc-tonic"), Some(code)) => {
                format!("status {code} {}: {message}", grpc_status_name(*code).unwrap_or("(no known code)"))
            }
            _ => format!("fault: {name}: {message}"),
        };
        match traceback.as_deref().map(str::trim_end) {
            // Servers without one (ours among them) say there once more what was said.
            Some(traceback) if !traceback.trim().is_empty() && !text.ends_with(traceback) => {
                format!("{text}\n{traceback}")
            }
            _ => text,
        }
    }
}

/// A server's text without the escapes that a terminal would obey, on one line.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The same for text of several lines, as a traceback is.
pub(super) fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// A time on the command line, in nanoseconds.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    parse_duration_ns(text).map_err(|error| error.to_string())
}

/// `key=value` on the command line.
pub(super) fn metadata(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

/// A time for people.
#[allow(clippy::cast_precision_loss)]
pub(super) fn milliseconds(ns: u64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

//! `wirebench serve`: one of our servers, alone, until it is ended.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::host::{Serve, serve};
use crate::protocol::{CallLog, Protocol, Records, ServerStamps, StampLog, registry, to_bytes};
use crate::rpc::{Service, from_json, validator1};
use crate::scenario::Idle;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A scenario: a file, or the name of a shipped one; validator1 is the XML-RPC suite of this name
    #[arg(required_unless_present = "service_file", conflicts_with = "service_file")]
    scenario: Option<String>,
    /// A service file instead of a scenario
    #[arg(long, hide = true)]
    service_file: Option<PathBuf>,
    /// The protocol
    #[arg(long, required_unless_present = "codec", conflicts_with = "codec")]
    protocol: Option<String>,
    /// A free pair's codec
    #[arg(long, requires = "transport")]
    codec: Option<String>,
    /// A free pair's transport
    #[arg(long, requires = "codec")]
    transport: Option<String>,
    /// Where to listen: port 0 picks a free one; an absolute path is a UNIX socket
    #[arg(long, value_name = "HOST:PORT|PATH", default_value = "127.0.0.1:0")]
    listen: String,
    /// Threads that answer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Replies that are written at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    write_batch: u32,
    /// What a thread does that has nothing to do
    #[arg(long, default_value = "park", value_parser = idle)]
    idle: Idle,
    /// XML-RPC: write integers beyond 32 bits as i8
    #[arg(long)]
    xmlrpc_i8: bool,
    /// Write the stamps of every call to this file when SIGTERM comes
    #[arg(long, hide = true, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Write stamps of sampled calls to this file when SIGTERM comes
    #[arg(long, hide = true, value_name = "FILE", requires = "stage_samples")]
    stage_log: Option<PathBuf>,
    /// One call in so many leaves stamps
    #[arg(long, hide = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    stage_samples: Option<u32>,
}

fn idle(text: &str) -> Result<Idle, String> {
    Idle::from_name(text).ok_or_else(|| format!("allowed: {}", Idle::NAMES.join(", ")))
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let protocol = protocol(arguments)?;
    let service = Arc::new(service(arguments)?);
    protocol.check(&service)?;
    let wiring =
        protocol.wiring(&service, arguments.write_batch.max(1) as usize, arguments.threads as usize)?;
    let log = records(arguments)?;
    let spec = Serve { protocol: protocol.clone(), service, wiring, spin: arguments.idle == Idle::Spin, log };
    let mut printed = Ok(());
    if protocol.transport.trusts_peers() && !is_near(&arguments.listen) {
        anstream::eprintln!(
            "note: over {}, a peer that announces a huge message ends this process; listen where only \
             friends can come",
            protocol.transport.name()
        );
    }
    serve(&spec, &arguments.listen, |address| {
        let line = serde_json::json!({"listening": address, "protocol": protocol.label()});
        printed = super::print(format!("{line}\n").as_bytes());
    })?;
    printed?;
    Ok(0)
}

/// Whether only this machine can reach an address.
fn is_near(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    address.starts_with('/') || host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// What is recorded of the calls, written when SIGTERM comes.
fn records(arguments: &Arguments) -> anyhow::Result<Option<Records>> {
    let every = arguments.stage_samples.unwrap_or(1);
    let records = Records {
        calls: arguments.log.is_some().then(Arc::default),
        stages: arguments.stage_log.is_some().then(|| Arc::new(StampLog::new(every))),
    };
    if records.calls.is_none() && records.stages.is_none() {
        return Ok(None);
    }
    let (log, stage_log, kept) = (arguments.log.clone(), arguments.stage_log.clone(), records.clone());
    at_term(move || {
        if let (Some(path), Some(calls)) = (&log, &kept.calls) {
            write(path, CallLog::to_text(calls).as_bytes())?;
        }
        if let (Some(path), Some(stages)) = (&stage_log, &kept.stages) {
            write(path, &to_bytes(stages.samples().into_iter().map(ServerStamps::to_words)))?;
        }
        Ok(())
    })?;
    Ok(Some(records))
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Does something and ends the process when SIGTERM comes.
fn at_term(last: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    let (mut reader, writer) = UnixStream::pair().context("cannot make a pipe")?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, writer)
        .context("cannot listen to SIGTERM")?;
    std::thread::Builder::new()
        .name("records".into())
        .spawn(move || {
            let _ = reader.read_exact(&mut [0]);
            let done = last();
            if let Err(error) = &done {
                anstream::eprintln!("{error:#}");
            }
            std::process::exit(i32::from(done.is_err()));
        })
        .context("cannot start a thread")?;
    Ok(())
}

fn protocol(arguments: &Arguments) -> anyhow::Result<Protocol> {
    match (&arguments.protocol, &arguments.codec, &arguments.transport) {
        (Some(name), _, _) => Ok(registry::named(name, arguments.xmlrpc_i8)?),
        (None, Some(codec), Some(transport)) => {
            Ok(registry::free_pair(codec, transport, arguments.xmlrpc_i8)?)
        }
        _ => anyhow::bail!("serve needs --protocol, or --codec and --transport"),
    }
}

fn service(arguments: &Arguments) -> anyhow::Result<Service> {
    match (&arguments.service_file, &arguments.scenario) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the service file {}", path.display()))?;
            Ok(from_json(&text)?)
        }
        (None, Some(name)) if name == validator1::NAME => Ok(validator1::service()),
        (None, Some(name)) => Ok(super::find_scenario(name)?.service()),
        (None, None) => anyhow::bail!("serve needs a scenario"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn only_loopback_and_unix_sockets_are_near() {
        for address in ["127.0.0.1:0", "127.1.2.3:80", "[::1]:80", "localhost:80", "/run/x.sock"] {
            assert!(is_near(address), "{address}");
        }
        for address in ["0.0.0.0:80", "[::]:80", "192.168.1.1:80", "example.org:80"] {
            assert!(!is_near(address), "{address}");
        }
    }
}

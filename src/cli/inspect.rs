//! `wirebench inspect`: what a server says about itself, and a scenario to start from.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::remote::{self, NO_ANSWER, Remote, printable, printable_lines};
use crate::protocol::registry;
use crate::protocol::{Asker, Offer, OfferedMethod};
use crate::rpc::{CallError, Compression};
use crate::scenario::{Skeleton, SkeletonMethod};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the server is, as xmlrpc+http://127.0.0.1:8000/RPC2
    url: String,
    /// How long the whole inspection may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = remote::duration)]
    timeout: u64,
    /// A header to send along (HTTP, gRPC); may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = remote::metadata)]
    metadata: Vec<(String, String)>,
    /// Write a scenario to start from; a file that exists is not replaced
    #[arg(long, value_name = "FILE")]
    scenario_out: Option<PathBuf>,
    /// gRPC: the service of the scenario, where the server has several
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// What is printed
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

pub(super) fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let remote = Remote::open(&arguments.url, &arguments.metadata, Compression::None, true)?;
    let introspect = registry::introspection(&remote.protocol).with_context(|| {
        format!("a {} server cannot tell what it offers; write a scenario by hand", remote.protocol.label())
    })?;
    let asker = Asker {
        protocol: &remote.protocol,
        target: &remote.address,
        deadline: Instant::now() + Duration::from_nanos(arguments.timeout),
    };
    let offer = match introspect(&asker) {
        Ok(offer) => offer,
        Err(CallError::Remote(fault)) => {
            let text = printable_lines(&remote.native(&fault));
            anstream::eprintln!("{text}\nthe server does not tell what it offers");
            return Ok(1);
        }
        Err(error) => {
            anstream::eprintln!("{}", printable_lines(&error.to_string()));
            return Ok(NO_ANSWER);
        }
    };
    show(arguments, &offer)?;
    if let Some(path) = &arguments.scenario_out {
        write_scenario(arguments, path, &offer)?;
    }
    Ok(0)
}

fn show(arguments: &Arguments, offer: &Offer) -> anyhow::Result<()> {
    if arguments.format == "json" {
        let method = |method: &OfferedMethod| {
            json!({
                "name": method.name, "service": method.service, "params": method.params.as_ref().map(|params| {
                    params.iter().map(|param| json!([&*param.name, param.ty])).collect::<Vec<_>>()
                }),
                "returns": method.returns, "streams": method.streams, "help": method.help,
                "obstacle": method.obstacle,
            })
        };
        let methods: Vec<_> = offer.methods.iter().map(method).collect();
        let json = json!({"name": offer.name, "methods": methods, "notes": offer.notes});
        return super::print(format!("{json:#}\n").as_bytes());
    }
    let mut text = String::new();
    if let Some(name) = &offer.name {
        writeln!(text, "{}", printable(name))?;
    }
    for method in &offer.methods {
        writeln!(text, "  {}", printable(&signature(method)))?;
        if let Some(help) = method.help.lines().find(|line| !line.trim().is_empty()) {
            writeln!(text, "      {}", printable(help.trim()))?;
        }
        if let Some(obstacle) = &method.obstacle {
            writeln!(text, "      cannot be called: {}", printable(obstacle))?;
        }
    }
    if offer.methods.is_empty() {
        writeln!(text, "no methods")?;
    }
    super::print(text.as_bytes())?;
    for note in &offer.notes {
        anstream::eprintln!("note: {}", printable(note));
    }
    Ok(())
}

fn signature(method: &OfferedMethod) -> String {
    let params = match &method.params {
        None => "?".into(),
        Some(params) => {
            params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect::<Vec<_>>().join(", ")
        }
    };
    let service = method.service.as_ref().map_or_else(String::new, |service| format!("{service}/"));
    let stream = if method.streams { "stream of " } else { "" };
    format!("{service}{}({params}) -> {stream}{}", method.name, method.returns)
}

fn write_scenario(arguments: &Arguments, path: &Path, offer: &Offer) -> anyhow::Result<()> {
    let mut notes = offer.notes.clone();
    let service = chosen_service(arguments, offer, &mut notes)?;
    let is_of_it = |method: &&OfferedMethod| service.is_none() || method.service == service;
    let method = |method: &OfferedMethod| SkeletonMethod {
        name: method.name.clone(),
        params: method.params.clone(),
        returns: method.returns.clone(),
        streams: method.streams,
        obstacle: method.obstacle.clone(),
        samples: method.samples.clone(),
        help: method.help.clone(),
    };
    let methods: Vec<SkeletonMethod> = offer.methods.iter().filter(is_of_it).map(method).collect();
    let name = offer.name.clone().or_else(|| service.clone());
    let mut skeleton = Skeleton {
        name: name.unwrap_or_default(),
        url: arguments.url.clone(),
        backend_lines: Vec::new(),
        methods,
        notes,
    };
    if !skeleton.is_callable() {
        anyhow::bail!("the server offers no method that could be called: no scenario is written");
    }
    let metadata =
        arguments.metadata.iter().map(|(name, value)| format!("{} = {}", json!(name), json!(value)));
    let metadata: Vec<String> = metadata.collect();
    if !metadata.is_empty() {
        skeleton.backend_lines.push(format!("metadata = {{ {} }}", metadata.join(", ")));
    }
    let mut proto = None;
    if let (Some(descriptors), Some(service)) = (&offer.descriptors, &service) {
        let beside = path.with_extension("protoset");
        let file = beside.file_name().unwrap_or_default().to_string_lossy().into_owned();
        proto = Some((beside, descriptors));
        skeleton.backend_lines.push("# The messages, as the server told them; a .proto does as well.".into());
        skeleton.backend_lines.push(format!("proto = {}", json!(file)));
        skeleton.backend_lines.push(format!("service = {}", json!(service)));
    }
    // First the file that was named: where it cannot be made, nothing else is left behind.
    let mut file = make_new(path)?;
    let beside = proto.map_or(Ok(()), |(beside, descriptors)| {
        let mut file = make_new(&beside)?;
        fill(&mut file, &beside, descriptors)
    });
    let written = beside.and_then(|()| fill(&mut file, path, skeleton.to_toml().as_bytes()));
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written?;
    anstream::eprintln!("written: {}; look through it, then: wirebench run {0}", path.display());
    Ok(())
}

/// A scenario calls one gRPC service: the one asked for, or the first that is not about the server.
fn chosen_service(
    arguments: &Arguments,
    offer: &Offer,
    notes: &mut Vec<String>,
) -> anyhow::Result<Option<String>> {
    let mut services: Vec<&String> =
        offer.methods.iter().filter_map(|method| method.service.as_ref()).collect();
    services.dedup();
    let names = services.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if let Some(asked) = &arguments.service {
        anyhow::ensure!(services.contains(&asked), "the server has no service {asked:?}; it has: {names}");
        return Ok(Some(asked.clone()));
    }
    let first = services.iter().find(|name| !name.starts_with("grpc.")).or(services.first());
    if services.len() > 1 {
        notes.push(format!("the server has several services ({names}); choose with --service"));
    }
    Ok(first.map(|name| (*name).clone()))
}

fn make_new(path: &Path) -> anyhow::Result<File> {
    File::create_new(path).with_context(|| format!("cannot make the new file {}", path.display()))
}

fn fill(file: &mut File, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

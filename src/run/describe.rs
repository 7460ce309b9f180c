//! What a result says of a cell and a run beside the figures.

use crate::analysis::CellDescription;
use crate::result::{LoadModel, LoadRecord, LoadStage, OURS, WriteBatch};
use crate::rpc::{Compression, Listen};
use crate::scenario::{self, Amount};

use super::plan::Cell;

/// Describes a cell.
#[must_use]
pub fn describe(cell: &Cell) -> CellDescription {
    CellDescription {
        backend: cell.backend.name.clone(),
        point: cell.point.label.clone(),
        protocol: cell.protocol.name.map(str::to_owned),
        codec: cell.protocol.codec.name().to_owned(),
        transport: cell.protocol.transport.name().to_owned(),
        hosting: hosting(cell).to_owned(),
        implementation: implementation(cell),
        load: load(cell),
    }
}

fn hosting(cell: &Cell) -> &'static str {
    // The null transport's server end lives in the client whatever the scenario says.
    if cell.protocol.transport.name() == crate::transport::NULL {
        "in-process"
    } else {
        cell.backend.hosting.name()
    }
}

/// Who wrote the server, as far as a command tells; `None` for a stranger at a URL.
fn implementation(cell: &Cell) -> Option<String> {
    match (&cell.backend.hosting, &cell.backend.command) {
        (scenario::Hosting::External(_), _) => None,
        (_, None) => Some(OURS.to_owned()),
        (_, Some(argv)) => {
            let is_address = |word: &&String| !["{host}", "{port}", "{service}"].contains(&word.as_str());
            let named = argv.iter().take_while(|word| !word.starts_with("--")).filter(is_address);
            let shown = named.map(|word| {
                let name = word.rsplit('/').next().unwrap_or(word);
                name.trim_matches(['{', '}'])
            });
            Some(shown.collect::<Vec<_>>().join(" "))
        }
    }
}

/// What lies beneath the transport; the null transport has nothing.
fn socket(cell: &Cell) -> Option<Listen> {
    if cell.protocol.transport.name() == crate::transport::NULL {
        return None;
    }
    Some(match &cell.backend.hosting {
        scenario::Hosting::External(url) if url.address.starts_with('/') => Listen::Unix,
        scenario::Hosting::External(_) => Listen::Tcp,
        scenario::Hosting::Subprocess | scenario::Hosting::InProcess => cell.backend.listen,
    })
}

#[allow(clippy::cast_precision_loss)]
fn stages(stages: &[scenario::Stage]) -> Vec<LoadStage> {
    let mut begins_ns = 0;
    let described = stages.iter().map(|stage| {
        let (from_per_s, to_per_s) = match stage.level {
            scenario::Level::Rate { from_per_s, to_per_s } => (Some(from_per_s), Some(to_per_s)),
            scenario::Level::Concurrency(_) => (None, None),
        };
        let described = LoadStage {
            label: stage.name(),
            begins_s: begins_ns as f64 / 1e9,
            lasts_s: stage.length_ns as f64 / 1e9,
            from_per_s,
            to_per_s,
            concurrency: stage.level.concurrency().map(u64::from),
        };
        begins_ns += stage.length_ns;
        described
    });
    described.collect()
}

fn load(cell: &Cell) -> LoadRecord {
    let load = &cell.point.load;
    let ms = |ns: u64| ns / 1_000_000;
    let calls = |amount| match amount {
        Amount::Calls(calls) => Some(calls),
        Amount::DurationNs(_) => None,
    };
    let duration_ms = |amount| match amount {
        Amount::Calls(_) => None,
        Amount::DurationNs(ns) => Some(ms(ns)),
    };
    let (model, concurrency, rate_per_s, arrivals) = match load.model {
        scenario::LoadModel::Closed { concurrency } => {
            (LoadModel::Closed, Some(u64::from(concurrency)), None, None)
        }
        scenario::LoadModel::Open { rate_per_s, arrivals } => {
            (LoadModel::Open, None, Some(rate_per_s), Some(arrivals))
        }
    };
    let ours =
        cell.backend.command.is_none() && !matches!(cell.backend.hosting, scenario::Hosting::External(_));
    LoadRecord {
        model,
        concurrency,
        stages: stages(&load.stages),
        think_time: load.think_time,
        connections: u64::from(cell.links.connections),
        in_flight: u64::from(cell.links.in_flight),
        connection_mode: load.connection_mode,
        rate_per_s,
        arrivals,
        placement: cell.placement,
        idle: load.idle,
        write_batch: if cell.write_batch >= super::plan::SHARED_WRITE_BATCH {
            WriteBatch::All
        } else {
            WriteBatch::UpTo(cell.write_batch)
        },
        client_threads: Some(u64::from(load.client_threads)),
        server_threads: ours.then(|| u64::from(cell.server_threads)),
        timeout_ms: Some(ms(load.timeout_ns)),
        calls: calls(load.length),
        duration_ms: duration_ms(load.length),
        warmup_ms: duration_ms(load.warmup),
        warmup_calls: calls(load.warmup),
        socket: socket(cell),
        compression: Some(cell.backend.compression).filter(|compression| *compression != Compression::None),
        stage_samples: Some(u64::from(load.stage_samples)).filter(|every| *every > 0),
        wire_calls: Some(u64::from(load.wire_calls)).filter(|calls| *calls > 0),
        payload_bytes: cell.point.payload_bytes,
    }
}

//! The load of a scenario, and which connections follow from it.

use serde::{Deserialize, Serialize};

use super::stage::Stage;
pub use crate::rpc::{Arrivals, ConnectionMode, Idle, Placement, ThinkTime};

/// How calls are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Closed or open.
    pub model: LoadModel,
    /// Rates or concurrencies one after another; empty for one load throughout. The model then has the
    /// mean rate, or the most calls in flight, and the length is that of all stages.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// How long a slot of a closed loop waits between an answer and its next call; `None` for not at all.
    pub think_time: Option<ThinkTime>,
    /// How many connections; `None` to follow from the load ([`Load::links`]).
    pub connections: Option<u32>,
    /// How many calls in flight per connection; `None` to follow from the load ([`Load::links`]).
    pub in_flight: Option<u32>,
    /// Whether connections are kept.
    pub connection_mode: ConnectionMode,
    /// The measured interval of a round.
    pub length: Amount,
    /// The warm-up before it.
    pub warmup: Amount,
    /// How many rounds.
    pub rounds: u32,
    /// Which cores client and server get; `None` for the machine's default.
    pub placement: Option<Placement>,
    /// What a thread does that has nothing to do.
    pub idle: Idle,
    /// How many messages are collected per write; `None` for the placement's default.
    pub write_batch: Option<u32>,
    /// How long a call may take from its start, in nanoseconds.
    pub timeout_ns: u64,
    /// The client's threads.
    pub client_threads: u32,
    /// The threads of our own servers.
    pub server_threads: u32,
    /// How many calls of each method are made once more, untimed, to count bytes; 0 for none.
    pub wire_calls: u32,
    /// One call in so many leaves stamps for the stages; 0 for none.
    pub stage_samples: u32,
}

/// When calls are due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadModel {
    /// A fixed number of calls in flight.
    Closed {
        /// How many.
        concurrency: u32,
    },
    /// Calls become due on a schedule, whatever the server does.
    Open {
        /// Calls per second; positive.
        rate_per_s: f64,
        /// The gaps between calls.
        arrivals: Arrivals,
    },
}

impl LoadModel {
    /// `closed` or `open`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            LoadModel::Closed { .. } => "closed",
            LoadModel::Open { .. } => "open",
        }
    }
}

/// So many calls, or so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// A number of calls.
    Calls(u64),
    /// A time, in nanoseconds.
    DurationNs(u64),
}

/// Connections and calls in flight on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// How many connections; with one connection per call, how many at once.
    pub connections: u32,
    /// How many calls in flight on each.
    pub in_flight: u32,
}

/// Connection settings that cannot work together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LinkError {
    /// The key of the scenario's `[load]` to blame.
    pub key: &'static str,
    /// The rule that is broken, with the numbers.
    pub message: String,
}

/// Open loop, one call per connection: so many connections where the scenario names none.
const OPEN_CONNECTIONS: u32 = 64;

/// Open loop, many calls per connection: so many in flight where the scenario says nothing.
const OPEN_IN_FLIGHT: u32 = 100;

impl Load {
    /// The think time, where anybody ever thinks.
    #[must_use]
    pub fn thinks(&self) -> Option<ThinkTime> {
        self.think_time.filter(|think| !think.is_zero())
    }

    /// The connections that this load needs over a protocol that allows `max_in_flight` calls at
    /// once on one connection (1 for HTTP/1).
    ///
    /// # Errors
    /// Explicit `connections` or `in_flight` that do not fit the load or the protocol.
    pub fn links(&self, max_in_flight: u32) -> Result<Links, LinkError> {
        let per_call = self.connection_mode == ConnectionMode::PerCall;
        let most = if per_call { 1 } else { max_in_flight.max(1) };
        if let Some(in_flight) = self.in_flight
            && in_flight > most
        {
            let why = if per_call {
                "with connection_mode = \"per-call\" each connection carries one call".to_owned()
            } else if most == 1 {
                "this transport has one call in flight per connection (in_flight = 1)".to_owned()
            } else {
                format!("this transport has at most {most} calls in flight per connection")
            };
            return Err(LinkError { key: "in_flight", message: format!("in_flight = {in_flight}: {why}") });
        }
        if let Some(connections) = self.connections
            && connections < self.client_threads
        {
            return Err(LinkError {
                key: "connections",
                message: format!(
                    "connections = {connections} with client_threads = {}: each thread needs a connection of its own",
                    self.client_threads
                ),
            });
        }
        match self.model {
            LoadModel::Closed { concurrency } => self.closed_links(concurrency.max(1), most),
            LoadModel::Open { .. } => Ok(self.open_links(most)),
        }
    }

    fn closed_links(&self, concurrency: u32, most: u32) -> Result<Links, LinkError> {
        if self.client_threads > concurrency {
            return Err(LinkError {
                key: "client_threads",
                message: format!(
                    "client_threads = {} with concurrency = {concurrency}: each thread needs a call to keep in flight",
                    self.client_threads
                ),
            });
        }
        // Calls and connections are dealt to the threads one by one: the thread with the most calls may have the
        // fewest connections.
        let threads = self.client_threads.max(1);
        let calls = concurrency.div_ceil(threads);
        let fewest = |connections: u32| (connections / threads).max(1);
        let links = match (self.connections, self.in_flight) {
            (Some(connections), Some(in_flight)) => Links { connections, in_flight },
            (Some(connections), None) => {
                Links { connections, in_flight: calls.div_ceil(fewest(connections)).min(most) }
            }
            (None, in_flight) => {
                let each = calls.div_ceil(in_flight.unwrap_or(most).max(1));
                let connections = each.saturating_mul(threads);
                Links { connections, in_flight: in_flight.unwrap_or_else(|| calls.div_ceil(each)) }
            }
        };
        let room = u64::from(fewest(links.connections)) * u64::from(links.in_flight);
        if room >= u64::from(calls) {
            return Ok(links);
        }
        if threads > 1 && u64::from(links.connections) * u64::from(links.in_flight) >= u64::from(concurrency)
        {
            return Err(LinkError {
                key: "connections",
                message: format!(
                    "connections = {} with client_threads = {threads}: a thread has {} of them, with room for {room} \
                     of its {calls} calls in flight; {} are enough",
                    links.connections,
                    fewest(links.connections),
                    calls.div_ceil(links.in_flight.max(1)).saturating_mul(threads),
                ),
            });
        }
        let limit = if most == 1 { " (one call in flight per connection here)" } else { "" };
        Err(LinkError {
            key: if self.connections.is_some() { "connections" } else { "in_flight" },
            message: format!(
                "connections × in_flight must be at least concurrency{limit}: {} × {} < {concurrency}",
                links.connections, links.in_flight
            ),
        })
    }

    fn open_links(&self, most: u32) -> Links {
        let default_connections = if most == 1 { OPEN_CONNECTIONS } else { 1 };
        Links {
            connections: self.connections.unwrap_or(default_connections.max(self.client_threads)),
            in_flight: self.in_flight.unwrap_or(OPEN_IN_FLIGHT.min(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(model: LoadModel) -> Load {
        Load {
            model,
            stages: Vec::new(),
            think_time: None,
            connections: None,
            in_flight: None,
            connection_mode: ConnectionMode::Persistent,
            length: Amount::Calls(1),
            warmup: Amount::Calls(0),
            rounds: 1,
            placement: None,
            idle: Idle::Park,
            write_batch: None,
            timeout_ns: 1,
            client_threads: 1,
            server_threads: 1,
            wire_calls: 0,
            stage_samples: 0,
        }
    }

    fn links(load: &Load, max_in_flight: u32) -> Result<(u32, u32), &'static str> {
        load.links(max_in_flight).map(|links| (links.connections, links.in_flight)).map_err(|error| error.key)
    }

    #[test]
    fn a_closed_load_finds_its_connections() {
        let closed = |concurrency, connections, in_flight| Load {
            connections,
            in_flight,
            ..load(LoadModel::Closed { concurrency })
        };
        for (concurrency, connections, in_flight, http1, multiplexing) in [
            (8, None, None, Ok((8, 1)), Ok((1, 8))),
            (8, Some(4), None, Err("connections"), Ok((4, 2))),
            (8, Some(3), None, Err("connections"), Ok((3, 3))),
            (8, None, Some(2), Err("in_flight"), Ok((4, 2))),
            (8, None, Some(1), Ok((8, 1)), Ok((8, 1))),
            (8, Some(2), Some(3), Err("in_flight"), Err("connections")),
            (8, Some(16), None, Ok((16, 1)), Ok((16, 1))),
            (250, None, None, Ok((250, 1)), Ok((3, 84))),
        ] {
            let load = closed(concurrency, connections, in_flight);
            assert_eq!(links(&load, 1), http1, "HTTP/1, {load:?}");
            assert_eq!(links(&load, 100), multiplexing, "multiplexing, {load:?}");
        }
    }

    #[test]
    fn an_open_load_has_64_connections_over_http_1_and_100_in_flight_elsewhere() {
        let open = load(LoadModel::Open { rate_per_s: 500.0, arrivals: Arrivals::Poisson });
        assert_eq!(links(&open, 1), Ok((64, 1)));
        assert_eq!(links(&open, 1_000), Ok((1, 100)));
        assert_eq!(links(&open, 50), Ok((1, 50)));
        let three_threads = Load { client_threads: 3, ..open };
        assert_eq!(links(&three_threads, 1_000), Ok((3, 100)));
        let two_connections = Load { connections: Some(2), ..three_threads };
        assert_eq!(links(&two_connections, 1_000), Err("connections"));
    }

    #[test]
    fn one_connection_per_call_carries_one_call() {
        let per_call =
            Load { connection_mode: ConnectionMode::PerCall, ..load(LoadModel::Closed { concurrency: 4 }) };
        assert_eq!(links(&per_call, 100), Ok((4, 1)));
        assert_eq!(links(&Load { in_flight: Some(2), ..per_call }, 100), Err("in_flight"));
    }

    #[test]
    fn a_client_thread_without_a_call_is_refused() {
        let idle_thread = Load { client_threads: 2, ..load(LoadModel::Closed { concurrency: 1 }) };
        assert_eq!(links(&idle_thread, 100), Err("client_threads"));
    }
}

//! Every key of a scenario file: the one table from which the reader and the JSON Schema both take
//! what is allowed, so that they cannot disagree.

use super::method_keys::{DELAY, METHOD};
use super::shape_keys::{CAPACITY, STAGES, THINK_TIME};
use crate::scenario::check::BytesGate;
use crate::scenario::duration::MOST_NS;
use crate::scenario::gate::Inconclusive;
use crate::scenario::load::{Arrivals, ConnectionMode, Idle, Placement};

/// What a key may hold.
#[derive(Debug)]
pub(in crate::scenario) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number in a range.
    Integer { min: i64, max: i64 },
    /// A finite number in a range.
    Number { min: f64, max: f64 },
    /// Any number, also `nan` and `inf`.
    AnyNumber,
    /// Text that is not empty, of at most so many characters.
    Text { most: usize },
    /// Text, possibly empty.
    AnyText,
    /// A time with its unit, as `"500ms"`, in nanoseconds.
    Duration { min_ns: u64 },
    /// A point in time: an RFC 3339 text or a TOML date-time.
    Time,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// A list.
    List { of: &'static Kind, least: usize, most: usize },
    /// A table with these keys.
    Table(&'static Keys),
    /// A table whose keys are names that the user chooses.
    Names { of: &'static Kind, least: usize, most: usize },
    /// One of several forms.
    Either(&'static [Kind]),
    /// A literal of the type that it stands in.
    Literal,
}

/// A key.
#[derive(Debug)]
pub(in crate::scenario) struct Key {
    /// Its name.
    pub(in crate::scenario) name: &'static str,
    /// What it may hold.
    pub(in crate::scenario) kind: Kind,
    /// Whether it must be there.
    pub(in crate::scenario) required: bool,
    /// What it means: the schema's description.
    pub(in crate::scenario) doc: &'static str,
}

/// The keys of a table.
#[derive(Debug)]
pub(in crate::scenario) struct Keys {
    /// The name in the schema's `$defs`.
    pub(in crate::scenario) name: &'static str,
    /// The keys.
    pub(in crate::scenario) keys: &'static [Key],
    /// Whether exactly one of them must be there.
    pub(in crate::scenario) exactly_one: bool,
}

pub(super) const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: false, doc }
}

pub(super) const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: true, doc }
}

pub(super) const fn table(name: &'static str, keys: &'static [Key]) -> Keys {
    Keys { name, keys, exactly_one: false }
}

pub(super) const fn one_of(name: &'static str, keys: &'static [Key]) -> Keys {
    Keys { name, keys, exactly_one: true }
}

/// The longest name of a scenario, in characters.
pub(in crate::scenario) const LONGEST_TITLE: usize = 200;

/// The longest name of a method, a parameter, a field or a back end, in characters.
pub(in crate::scenario) const LONGEST_NAME: usize = 100;

/// The longest text or bytes: a quarter of the largest message, which leaves room for base64 and
/// XML escaping.
pub(super) const LONGEST_CONTENT: i64 = 16 << 20;

/// The most methods, back ends and values in a list: each costs histograms or a cell.
pub(in crate::scenario) const MOST_METHODS: usize = 256;
const MOST_BACKENDS: usize = 64;
pub(super) const MOST_LISTED: usize = 256;

pub(in crate::scenario) const COUNT: Kind = Kind::Integer { min: 1, max: 1_000_000_000_000 };
pub(in crate::scenario) const WARMUP_CALLS: Kind = Kind::Integer { min: 0, max: 1_000_000_000_000 };
/// A round's measured interval.
pub(in crate::scenario) const LENGTH: Kind = Kind::Duration { min_ns: 1_000_000 };
pub(in crate::scenario) const ROUNDS: Kind = Kind::Integer { min: 1, max: 1_000 };
pub(in crate::scenario) const CONCURRENCY: Kind = Kind::Integer { min: 1, max: 65_536 };
const CONNECTIONS: Kind = Kind::Integer { min: 1, max: 65_536 };
const IN_FLIGHT: Kind = Kind::Integer { min: 1, max: 65_536 };
const THREADS: Kind = Kind::Integer { min: 1, max: 256 };
/// A thousandth of a call per second to ten million, beyond which no due time can be kept.
pub(in crate::scenario) const RATE: Kind = Kind::Number { min: 0.001, max: 10_000_000.0 };
pub(super) const SHARE: Kind = Kind::Number { min: 0.0, max: 1.0 };
pub(super) const NAME: Kind = Kind::Text { most: LONGEST_NAME };

/// The whole file.
pub(in crate::scenario) static SCENARIO: Keys = table(
    "scenario",
    &[
        required(
            "name",
            Kind::Text { most: LONGEST_TITLE },
            "Free text; file names and the service's name are made from it.",
        ),
        optional("description", Kind::AnyText, "What the scenario shows."),
        optional(
            "seed",
            Kind::Integer { min: 0, max: i64::MAX },
            "Decides calls, payloads, arrivals and the order of rounds. Default 42.",
        ),
        required(
            "methods",
            Kind::Names { of: &Kind::Table(&METHOD), least: 1, most: MOST_METHODS },
            "The methods of the service, by name.",
        ),
        optional("mix", Kind::Table(&MIX), "Which methods are called how often. Default: all equally often."),
        optional("load", Kind::Table(&LOAD), "How calls are made."),
        optional(
            "sweep",
            Kind::Table(&SWEEP),
            "Lists of values; each combination is a cell and overrides the key of the same name.",
        ),
        optional(
            "capacity",
            Kind::Table(&CAPACITY),
            "Searches the highest rate of an open load at which an objective is kept.",
        ),
        optional("gates", Kind::Table(&GATES), "What the results must reach."),
        required(
            "backends",
            Kind::Names { of: &Kind::Table(&BACKEND), least: 1, most: MOST_BACKENDS },
            "The servers under test, by name.",
        ),
    ],
);

static MIX: Keys = one_of(
    "mix",
    &[
        optional(
            "sequence",
            Kind::List { of: &Kind::Table(&STEP), least: 1, most: MOST_LISTED },
            "So many calls of one method, then so many of the next; closed, one in flight; restarts after warm-up; sets calls.",
        ),
        optional(
            "weights",
            Kind::Names { of: &Kind::Integer { min: 0, max: 1_000_000 }, least: 1, most: MOST_METHODS },
            "How often each method is called, in relation to the others.",
        ),
    ],
);

static STEP: Keys =
    table("step", &[required("method", NAME, "The method."), required("calls", COUNT, "How many calls.")]);

static LOAD: Keys = table(
    "load",
    &[
        optional("closed", Kind::Table(&CLOSED), "A fixed number of calls in flight. The default, with one."),
        optional("open", Kind::Table(&OPEN), "Calls become due on a schedule, whatever the server does."),
        optional(
            "stages",
            STAGES,
            "Rates of an open load, or concurrencies of a closed one, one after another; they set the duration.",
        ),
        optional(
            "think_time",
            THINK_TIME,
            "Closed only: how long a slot waits between an answer and its next call: a duration or a distribution. Default 0s.",
        ),
        optional("connections", CONNECTIONS, "How many connections. Default: as the load needs."),
        optional("in_flight", IN_FLIGHT, "Calls in flight per connection. Default: as the load needs."),
        optional(
            "connection_mode",
            Kind::Choice(ConnectionMode::NAMES),
            "Keep connections (default) or open one per call.",
        ),
        optional("calls", COUNT, "How many calls a round measures."),
        optional("duration", LENGTH, "How long a round measures. Default 10s."),
        optional(
            "warmup",
            Kind::Either(&[Kind::Duration { min_ns: 0 }, Kind::Table(&WARMUP)]),
            "What comes before, with calls of its own: a duration or { calls }. Default 500ms.",
        ),
        optional("rounds", ROUNDS, "How many rounds, each with fresh processes. Default 3."),
        optional(
            "placement",
            Kind::Choice(Placement::NAMES),
            "Which cores client and server get. Default \"split\" on two or more.",
        ),
        optional("idle", Kind::Choice(Idle::NAMES), "Whether an idle thread sleeps (default) or polls."),
        optional(
            "write_batch",
            Kind::Integer { min: 1, max: 65_536 },
            "Messages per write. Default 16 split, all shared.",
        ),
        optional(
            "timeout",
            Kind::Duration { min_ns: 1_000 },
            "How long a call may take from its start. Default 5s.",
        ),
        optional("client_threads", THREADS, "The client's threads. Default 1."),
        optional("server_threads", THREADS, "The threads of our own servers. Default 1."),
        optional(
            "stage_samples",
            Kind::Integer { min: 0, max: 1_000_000 },
            "One call in so many leaves stamps, for the stages of a call. Default 32; 0 for none.",
        ),
        optional(
            "wire_calls",
            Kind::Integer { min: 0, max: 100_000 },
            "Calls of each method that are made once more, untimed, to count bytes. Default 100; 0 for none.",
        ),
    ],
);

static CLOSED: Keys = table("closed", &[optional("concurrency", CONCURRENCY, "Calls in flight. Default 1.")]);

static OPEN: Keys = table(
    "open",
    &[
        optional("rate_per_s", RATE, "Calls per second; here or in [sweep]."),
        optional("arrivals", Kind::Choice(Arrivals::NAMES), "The gaps between calls. Default \"constant\"."),
    ],
);

static WARMUP: Keys = table("warmup", &[required("calls", WARMUP_CALLS, "How many calls.")]);

static SWEEP: Keys = table(
    "sweep",
    &[
        optional(
            "concurrency",
            Kind::List { of: &CONCURRENCY, least: 1, most: MOST_LISTED },
            "Calls in flight; closed only.",
        ),
        optional(
            "rate_per_s",
            Kind::List { of: &RATE, least: 1, most: MOST_LISTED },
            "Calls per second; open only.",
        ),
        optional("connections", Kind::List { of: &CONNECTIONS, least: 1, most: MOST_LISTED }, "Connections."),
        optional(
            "in_flight",
            Kind::List { of: &IN_FLIGHT, least: 1, most: MOST_LISTED },
            "Calls in flight per connection.",
        ),
        optional(
            "connection_mode",
            Kind::List { of: &Kind::Choice(ConnectionMode::NAMES), least: 1, most: MOST_LISTED },
            "Connection modes.",
        ),
        optional(
            "placement",
            Kind::List { of: &Kind::Choice(Placement::NAMES), least: 1, most: MOST_LISTED },
            "Placements.",
        ),
        optional(
            "idle",
            Kind::List { of: &Kind::Choice(Idle::NAMES), least: 1, most: MOST_LISTED },
            "What idle threads do.",
        ),
        optional(
            "think_time",
            Kind::List { of: &DELAY, least: 1, most: MOST_LISTED },
            "Gaps between an answer and a slot's next call; closed only.",
        ),
        optional(
            "payload",
            Kind::List { of: &Kind::Integer { min: 0, max: LONGEST_CONTENT }, least: 1, most: MOST_LISTED },
            "Sizes in bytes: replaces the length of every text and bytes in parameters that has one (echoes follow); in a method without such, lists that have one grow to it.",
        ),
    ],
);

static GATES: Keys = table(
    "gates",
    &[
        optional(
            "slo",
            Kind::List { of: &Kind::Text { most: 200 }, least: 0, most: MOST_LISTED },
            "What every cell must reach, as \"p99 <= 5ms\".",
        ),
        optional(
            "errors",
            Kind::Either(&[Kind::Integer { min: 0, max: 1_000_000_000_000 }, Kind::Text { most: 20 }]),
            "How many failed calls a round may have: a number, or a share as \"1%\". Default 0.",
        ),
        optional(
            "inconclusive",
            Kind::Choice(Inconclusive::NAMES),
            "What an inconclusive check means. Default \"pass\".",
        ),
        optional(
            "metrics",
            Kind::List { of: &Kind::Text { most: 40 }, least: 1, most: 8 },
            "What a check gates: rate, cpu, and p50 to p99 of response or service; or capacity, alone, with [capacity]. Default: as the load needs.",
        ),
        optional(
            "noise_margin",
            PERCENTAGE,
            "Check: what is worse by no more than this is not worse. Default \"2%\".",
        ),
        optional("limit", PERCENTAGE, "Check: what is worse by this or more must not pass. Default \"10%\"."),
        optional("floor", Kind::Table(&FLOOR), "Check: smaller differences than these are none."),
        optional(
            "alpha",
            Kind::Number { min: 0.000_1, max: 0.5 },
            "Check: how often identical builds may be called a regression. Default 0.05.",
        ),
        optional(
            "rounds",
            Kind::Integer { min: 1, max: 500 },
            "Check: pairs of rounds, or of searches. Default: as many as the budget allows.",
        ),
        optional(
            "budget",
            Kind::Duration { min_ns: 1_000_000_000 },
            "Check: how long it may measure. Default 60s; 10m for the capacity.",
        ),
        optional(
            "round",
            Kind::Duration { min_ns: 50_000_000 },
            "Check: how long a round measures. Default 500ms, or what the metrics need; a search lengthens it for its quantile.",
        ),
        optional("early_stop", Kind::Bool, "Check: whether it may end at an early look. Default true."),
        optional(
            "bytes",
            Kind::Choice(BytesGate::NAMES),
            "Check: whether more encoded bytes fail: with the same codec (default), always (\"gate\") or never (\"show\").",
        ),
    ],
);

static FLOOR: Keys = table(
    "floor",
    &[
        optional("time", Kind::Duration { min_ns: 0 }, "Of times. Default 500ns."),
        optional("cpu", Kind::Duration { min_ns: 0 }, "Of processor time per call. Default 200ns."),
    ],
);

/// A share as `"10%"`.
const PERCENTAGE: Kind = Kind::Text { most: 20 };

static BACKEND: Keys = table(
    "backend",
    &[
        optional("protocol", NAME, "A named protocol."),
        optional("codec", NAME, "The codec of a free pair, with `transport`."),
        optional("transport", NAME, "The transport of a free pair, with `codec`."),
        optional("url", Kind::Text { most: 1_000 }, "A running server; the scheme names the protocol."),
        optional(
            "hosting",
            Kind::Choice(crate::scenario::Hosting::NAMES),
            "Where it runs. Default \"subprocess\"; \"external\" with `url`.",
        ),
        optional(
            "command",
            Kind::List { of: &Kind::AnyText, least: 1, most: MOST_LISTED },
            "Starts a foreign server; {python}, {host} and {port} are filled in.",
        ),
        optional("optional", Kind::Bool, "Skipped, with the reason, where it cannot start. Default false."),
        optional(
            "proto",
            Kind::Text { most: 1_000 },
            "gRPC: the .proto of your own service (or a compiled FileDescriptorSet), from the scenario's folder.",
        ),
        optional(
            "proto_include",
            Kind::List { of: &Kind::Text { most: 1_000 }, least: 1, most: MOST_LISTED },
            "Folders in which the .proto finds its imports. Default: its own.",
        ),
        optional(
            "service",
            Kind::Text { most: 500 },
            "gRPC: the full name of the service, as shop.Orders. Default: the only one of `proto`.",
        ),
        optional(
            "metadata",
            Kind::Names { of: &Kind::AnyText, least: 0, most: 64 },
            "Headers (gRPC: metadata) that are sent with every call.",
        ),
        optional(
            "listen",
            Kind::Choice(crate::scenario::Listen::NAMES),
            "What one of our own servers listens on. Default \"tcp\"; \"unix\" is a socket in the file system.",
        ),
        optional(
            "compression",
            Kind::Choice(crate::rpc::Compression::NAMES),
            "Protocols over HTTP: \"gzip\" packs requests and asks for packed replies. Default \"none\".",
        ),
        optional("xmlrpc_i8", Kind::Bool, "XML-RPC: integers beyond 32 bits as <i8>. Default false."),
        optional("server_threads", THREADS, "Replaces the load's server_threads."),
    ],
);

/// The longest duration, for the schema's text.
pub(in crate::scenario) const MOST_DURATION_NS: u64 = MOST_NS;

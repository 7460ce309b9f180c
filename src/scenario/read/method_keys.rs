//! The keys of a method and of the types of its values: a part of [`super::keys`].

use super::keys::{
    COUNT, Keys, Kind, LONGEST_CONTENT, MOST_LISTED, NAME, SHARE, one_of, optional, required, table,
};
use crate::scenario::Expect;

const ANY_INTEGER: Kind = Kind::Integer { min: i64::MIN, max: i64::MAX };
const FINITE: Kind = Kind::Number { min: f64::MIN, max: f64::MAX };
pub(super) const DELAY: Kind = Kind::Duration { min_ns: 0 };

/// The most items of a list.
const MOST_ITEMS: i64 = 1_000_000;

/// A method.
pub(super) static METHOD: Keys = table(
    "method",
    &[
        optional(
            "params",
            Kind::Names { of: &SHAPE, least: 0, most: MOST_LISTED },
            "The parameters, in order, each with its type.",
        ),
        optional(
            "returns",
            Kind::Either(&[Kind::Choice(BARE_RETURNS), Kind::Table(&RETURNS)]),
            "The type of the answer (of one item, if the method streams), { echo = PARAM }, or \"any\" for an answer that is not looked at. Default \"nil\".",
        ),
        optional(
            "expect",
            Kind::Choice(Expect::NAMES),
            "How answers are checked: equal to the one in `returns` (default), of its type, or not at all (\"any\").",
        ),
        optional("service_time", Kind::Table(&SERVICE_TIME), "How long the method takes."),
        optional("fail", Kind::Table(&FAIL), "Faults on purpose."),
        optional("stream", Kind::Table(&STREAM), "The method answers with a stream of items."),
    ],
);

static FAIL: Keys = table("fail", &[required("rate", SHARE, "The share of calls that fail.")]);

static STREAM: Keys = table("stream", &[required("items", COUNT, "How many items.")]);

static SERVICE_TIME: Keys = table(
    "service_time",
    &[
        optional("fixed", DELAY, "Always this long."),
        optional(
            "uniform",
            Kind::Either(&[Kind::List { of: &DELAY, least: 2, most: 2 }, Kind::Table(&UNIFORM)]),
            "Between two times, as [MIN, MAX] or { min, max }.",
        ),
        optional("exponential", DELAY, "Exponential with this mean."),
        optional("bimodal", Kind::Table(&BIMODAL), "Mostly one time, for a share of calls another."),
        optional(
            "stall",
            Kind::Table(&STALL),
            "Now and then every call waits; alone or with one of the others.",
        ),
        optional(
            "how",
            Kind::Choice(crate::rpc::How::NAMES),
            "What the server does meanwhile: \"sleep\" (default) and answer other calls, be \"busy\" computing, or serve one call at a time (\"serial\").",
        ),
    ],
);

pub(super) static UNIFORM: Keys =
    table("uniform", &[required("min", DELAY, "The least."), required("max", DELAY, "The most.")]);

static BIMODAL: Keys = table(
    "bimodal",
    &[
        required("fast", DELAY, "The usual time."),
        required("slow", DELAY, "The other time."),
        required("slow_share", SHARE, "The share of slow calls."),
    ],
);

static STALL: Keys = table(
    "stall",
    &[
        required(
            "every",
            Kind::Duration { min_ns: 1 },
            "From the start of one stall to the start of the next.",
        ),
        required("for", Kind::Duration { min_ns: 1 }, "How long a stall lasts."),
    ],
);

/// The type of an answer that nobody looks at.
pub(super) const OPEN: &str = "any";

/// The types that a bare name can stand for in an answer.
const BARE_RETURNS: &[&str] = &["nil", "bool", "int", "float", "text", "bytes", "time", OPEN];

/// The types that a bare name can stand for.
pub(super) const BARE_TYPES: &[&str] = &["nil", "bool", "int", "float", "text", "bytes", "time"];

static SHAPE: Kind = Kind::Either(&[Kind::Choice(BARE_TYPES), Kind::Table(&SHAPES)]);

macro_rules! shape_keys {
    ($($more:expr),*) => {
        &[
            optional("nil", Kind::Table(&NIL), "No value."),
            optional("bool", Kind::Table(&BOOL), "A truth value."),
            optional("int", Kind::Table(&INT), "A signed 64-bit integer; 0 to 1000000 by default."),
            optional("float", Kind::Table(&FLOAT), "A double; 0 to 1000 by default."),
            optional("text", Kind::Table(&TEXT), "Unicode text; 16 characters by default."),
            optional("bytes", Kind::Table(&BYTES), "Bytes; 16 by default."),
            optional("time", Kind::Table(&TIME), "Whole seconds UTC; 2000 to 2037 by default."),
            optional("list", Kind::Table(&LIST), "Values of one type."),
            optional(
                "json_file",
                Kind::Either(&[Kind::Text { most: 1_000 }, Kind::Table(&JSON_FILE)]),
                "Values of your own: a JSON file with one value, or a list of values to draw from.",
            ),
            optional(
                "struct",
                Kind::Names { of: &SHAPE, least: 1, most: MOST_LISTED },
                "Named fields, in order.",
            ),
            $($more),*
        ]
    };
}

/// A type with what the generator needs.
pub(super) static SHAPES: Keys = one_of("type", shape_keys!());

static RETURNS: Keys =
    one_of("returns", shape_keys!(optional("echo", NAME, "The name of the parameter that is sent back.")));

static JSON_FILE: Keys = table(
    "json_file",
    &[
        required("path", Kind::Text { most: 1_000 }, "The file, from the scenario's folder."),
        optional(
            "type",
            Kind::Either(&[Kind::Choice(BARE_TYPES), Kind::Table(&SHAPES)]),
            "The type of the values, where JSON does not say it: bytes (base64), times (RFC 3339), floats.",
        ),
    ],
);

static NIL: Keys = table("nil", &[]);

static BOOL: Keys = table("bool", &[optional("value", Kind::Bool, "Always this value.")]);

static INT: Keys = table(
    "int",
    &[
        optional("value", ANY_INTEGER, "Always this value."),
        optional("min", ANY_INTEGER, "The least."),
        optional("max", ANY_INTEGER, "The greatest."),
    ],
);

static FLOAT: Keys = table(
    "float",
    &[
        optional("value", Kind::AnyNumber, "Always this value."),
        optional("min", FINITE, "The least."),
        optional("max", FINITE, "The greatest."),
    ],
);

static TEXT: Keys = table(
    "text",
    &[
        optional("value", Kind::AnyText, "Always this value."),
        optional("length", CONTENT_LENGTH, "In characters: a number or { min, max }."),
    ],
);

static BYTES: Keys = table(
    "bytes",
    &[
        optional("value", Kind::AnyText, "Always this value, in base64."),
        optional("length", CONTENT_LENGTH, "In bytes: a number or { min, max }."),
    ],
);

static TIME: Keys = table(
    "time",
    &[
        optional("value", Kind::Time, "Always this value."),
        optional("min", Kind::Time, "The earliest."),
        optional("max", Kind::Time, "The latest."),
    ],
);

static LIST: Keys = table(
    "list",
    &[
        required(
            "of",
            Kind::Either(&[Kind::Choice(BARE_TYPES), Kind::Table(&SHAPES)]),
            "The type of the items.",
        ),
        optional(
            "length",
            Kind::Either(&[Kind::Integer { min: 0, max: MOST_ITEMS }, Kind::Table(&LIST_LENGTH)]),
            "The number of items: a number or { min, max }. Default 4.",
        ),
        optional("value", Kind::List { of: &Kind::Literal, least: 0, most: 100_000 }, "Always these items."),
    ],
);

const CONTENT_LENGTH: Kind =
    Kind::Either(&[Kind::Integer { min: 0, max: LONGEST_CONTENT }, Kind::Table(&LENGTH)]);

static LENGTH: Keys = table(
    "length",
    &[
        required("min", Kind::Integer { min: 0, max: LONGEST_CONTENT }, "The least."),
        required("max", Kind::Integer { min: 0, max: LONGEST_CONTENT }, "The most."),
    ],
);

static LIST_LENGTH: Keys = table(
    "list_length",
    &[
        required("min", Kind::Integer { min: 0, max: MOST_ITEMS }, "The least."),
        required("max", Kind::Integer { min: 0, max: MOST_ITEMS }, "The most."),
    ],
);

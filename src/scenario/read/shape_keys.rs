//! The keys of load shapes: a part of [`super::keys`].

use super::keys::{CONCURRENCY, Keys, Kind, MOST_LISTED, NAME, RATE, one_of, optional, required, table};
use super::method_keys::{DELAY, UNIFORM};

/// How long users think.
pub(super) const THINK_TIME: Kind = Kind::Either(&[DELAY, Kind::Table(&THINK_TIMES)]);

static THINK_TIMES: Keys = one_of(
    "think_time",
    &[
        optional("fixed", DELAY, "Always this long."),
        optional(
            "uniform",
            Kind::Either(&[Kind::List { of: &DELAY, least: 2, most: 2 }, Kind::Table(&UNIFORM)]),
            "Between two times, as [MIN, MAX] or { min, max }.",
        ),
        optional(
            "exponential",
            DELAY,
            "Exponential with this mean, as of users who know nothing of each other.",
        ),
    ],
);

/// The most stages: each costs histograms.
const MOST_STAGES: usize = 100;

/// Stages of a load.
pub(super) const STAGES: Kind = Kind::List { of: &Kind::Table(&STAGE), least: 1, most: MOST_STAGES };

/// As the rate of a load, and nothing at all, from which or to which a ramp can go.
const RAMP_END: Kind = Kind::Number { min: 0.0, max: 10_000_000.0 };

static STAGE: Keys = table(
    "stage",
    &[
        optional("rate_per_s", RATE, "Calls per second, constant; open only."),
        optional(
            "ramp_to_per_s",
            RAMP_END,
            "Calls per second at the stage's end, evenly from those at its begin; open only.",
        ),
        optional(
            "ramp_from_per_s",
            RAMP_END,
            "Calls per second at a ramp's begin. Default: where the stage before ended.",
        ),
        optional("concurrency", CONCURRENCY, "Calls in flight; closed only."),
        required("for", Kind::Duration { min_ns: 1_000_000 }, "How long the stage lasts."),
        optional("label", NAME, "Its name in results. Default: what it is."),
    ],
);

/// An objective.
const OBJECTIVE: Kind = Kind::Text { most: 200 };

pub(super) static CAPACITY: Keys = table(
    "capacity",
    &[
        required(
            "slo",
            Kind::Either(&[OBJECTIVE, Kind::List { of: &OBJECTIVE, least: 1, most: MOST_LISTED }]),
            "What must be kept, as \"p99 <= 5ms\", beside the budget of errors; one or a list.",
        ),
        optional("min_per_s", RATE, "The lowest rate that is tried. Default 10."),
        optional("max_per_s", RATE, "The highest rate that is tried. Default 1000000."),
        optional(
            "precision",
            Kind::Number { min: 0.01, max: 1.0 },
            "How much higher the lowest rate that misses may be, as a share. Default 0.05.",
        ),
    ],
);

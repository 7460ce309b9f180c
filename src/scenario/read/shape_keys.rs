//! The keys of load shapes: a part of [`super::keys`].

use super::keys::{Keys, Kind, one_of, optional};
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

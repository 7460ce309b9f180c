//! Why a check ended without a result.

use std::path::PathBuf;

use crate::analysis::Outcome;
use crate::analysis::compare::TooFewPairs;
use crate::result::StoreError;
use crate::run::{PlanError, RoundError, RunError};

/// Why a check ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no such back end.
    #[error("{flag} {name}: there is no such back end; allowed: {allowed}")]
    Backend {
        /// The option.
        flag: &'static str,
        /// What it says.
        name: String,
        /// The back ends of the scenario.
        allowed: String,
    },
    /// A command that cannot be taken apart, or has no place.
    #[error("{flag}: {reason}")]
    Command {
        /// The option.
        flag: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A check has one load point.
    #[error("a check has one load point, and the scenario has {points}: choose with --point")]
    Points {
        /// The names of the points.
        points: String,
    },
    /// A check has one load.
    #[error("a check has one constant load, and the scenario's has stages: give --rate or --concurrency")]
    Stages,
    /// The scenario cannot be run as it stands.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Too few pairs of rounds to find anything.
    #[error("{problem}{}", match budget {
        Some((allowed, needed)) => format!(" (the budget of {allowed} is too short; --budget {needed} is enough)"),
        None => format!(" (--rounds {}, or rounds in [gates])", problem.needed),
    })]
    TooFew {
        /// How many there are and how many are needed.
        problem: TooFewPairs,
        /// The budget that allows no more, and one that would; `None` where the number was given.
        budget: Option<(String, String)>,
    },
    /// A metric that was asked for is not there.
    #[error("{metric} cannot be gated: {reason}")]
    Metric {
        /// The metric.
        metric: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A server cannot start, or the folder cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An unscored round failed.
    #[error("the {side} ({backend}): {reason}")]
    Practice {
        /// Base or candidate.
        side: &'static str,
        /// The back end.
        backend: String,
        /// What happened.
        reason: String,
    },
    /// Unscored searches came to no end.
    #[error(
        "after {at_most_s} s the unscored searches had not come to their end: the machine, or a server, does not do \
         the same twice; raise precision or relax slo under [capacity], shorten --round, or raise --budget"
    )]
    PracticeTooLong {
        /// How long they may take, in seconds.
        at_most_s: u64,
    },
    /// A file could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The calibration cannot be kept.
    #[error("cannot keep the calibration{}: {reason}", path.as_ref().map_or_else(String::new, |path| format!(" in {}", path.display())))]
    Calibration {
        /// The file, where one is known.
        path: Option<PathBuf>,
        /// Why.
        reason: String,
    },
    /// The user ended it before there was anything.
    #[error("interrupted")]
    Interrupted,
}

impl CheckError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => crate::run::INTERRUPTED,
            Self::Run(error) => error.exit_code(),
            Self::Practice { .. } | Self::PracticeTooLong { .. } | Self::Calibration { .. } => {
                Outcome::Invalid.code()
            }
            _ => Outcome::Usage.code(),
        }
    }

    /// From an unscored round.
    pub(super) fn of_round(side: usize, backend: &str, error: RoundError) -> Self {
        match error {
            RoundError::Interrupted => Self::Interrupted,
            RoundError::Host(source) if source.is_missing() => {
                Self::Run(RunError::Missing { backend: backend.to_owned(), source })
            }
            error => Self::Practice {
                side: super::sides::NAMES[side],
                backend: backend.to_owned(),
                reason: error.to_string(),
            },
        }
    }
}

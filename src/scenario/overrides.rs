//! What the command line replaces in a scenario. The rules are those of the file.

use super::read::keys::{CONCURRENCY, COUNT, Kind, LENGTH, RATE, ROUNDS, WARMUP_CALLS};
use super::{
    Amount, Arrivals, Catalogue, LinkError, LoadModel, LoadPoint, Mix, Placement, Scenario, ThinkTime,
    format_duration_ns,
};

/// Values that replace those of the file; `None` keeps them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overrides {
    /// `--rounds`.
    pub rounds: Option<u32>,
    /// `--calls`. A sequence is then cut short or repeated.
    pub calls: Option<u64>,
    /// `--duration`, in nanoseconds. A sequence is then repeated until the time is over.
    pub duration_ns: Option<u64>,
    /// `--warmup`.
    pub warmup: Option<Amount>,
    /// `--concurrency`; makes the load closed and replaces stages, and a sweep of concurrencies or rates.
    pub concurrency: Option<u32>,
    /// `--rate`, in calls per second; makes the load open, replaces stages and a sweep of either, and
    /// takes away think times.
    pub rate_per_s: Option<f64>,
    /// `--think-time`, in nanoseconds; replaces a sweep of think times.
    pub think_time_ns: Option<u64>,
    /// `--placement`; replaces a sweep of placements.
    pub placement: Option<Placement>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--no-wire-pass`.
    pub no_wire_pass: bool,
    /// `--no-stages`.
    pub no_stages: bool,
}

/// An override that the scenario does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {message}")]
pub struct OverrideError {
    /// The flag to blame.
    pub flag: &'static str,
    /// Why.
    pub message: String,
}

pub(super) fn refuse(flag: &'static str, message: impl Into<String>) -> OverrideError {
    OverrideError { flag, message: message.into() }
}

impl Overrides {
    /// Refuses what a file could not say either: the ranges are those of its keys.
    fn check_ranges(&self) -> Result<(), OverrideError> {
        let within = |flag, key: &Kind, fits: bool, found: String| match fits {
            true => Ok(()),
            false => Err(refuse(flag, format!("expected {}, found {found}", key.describe()))),
        };
        let integer = |flag, key: Kind, value: Option<u64>| {
            let fits = value.is_none_or(|value| key.takes_integer(value));
            within(flag, &key, fits, value.unwrap_or_default().to_string())
        };
        integer("--rounds", ROUNDS, self.rounds.map(u64::from))?;
        integer("--calls", COUNT, self.calls)?;
        integer("--concurrency", CONCURRENCY, self.concurrency.map(u64::from))?;
        let rate = self.rate_per_s;
        let fits = rate.is_none_or(|rate| RATE.takes_number(rate));
        within("--rate", &RATE, fits, rate.unwrap_or_default().to_string())?;
        let length = self.duration_ns;
        let fits = length.is_none_or(|ns| LENGTH.takes_duration(ns));
        within("--duration", &LENGTH, fits, format_duration_ns(length.unwrap_or_default()))?;
        match self.warmup {
            Some(Amount::Calls(calls)) => integer("--warmup", WARMUP_CALLS, Some(calls)),
            _ => Ok(()),
        }
    }
}

impl Scenario {
    /// Replaces what the command line says, and checks again that all fits together. On an error
    /// the scenario may be changed in part: it is not to be used.
    ///
    /// # Errors
    /// The flag that cannot be, and why.
    pub fn override_with(
        &mut self,
        overrides: &Overrides,
        catalogue: &dyn Catalogue,
    ) -> Result<(), OverrideError> {
        overrides.check_ranges()?;
        let sequence = matches!(self.mix, Mix::Sequence(_));
        if overrides.calls.is_some() && overrides.duration_ns.is_some() {
            return Err(refuse("--duration", "--calls and --duration exclude each other"));
        }
        if overrides.concurrency.is_some() && overrides.rate_per_s.is_some() {
            return Err(refuse("--rate", "--concurrency and --rate exclude each other"));
        }
        if let Some(concurrency) = overrides.concurrency {
            if self.capacity.is_some() {
                let why = "the scenario searches a capacity, which needs an open load";
                return Err(refuse("--concurrency", why));
            }
            if sequence && concurrency > 1 {
                return Err(refuse("--concurrency", "the scenario's sequence has one call in flight"));
            }
            self.load.model = LoadModel::Closed { concurrency };
            self.load.stages.clear();
            self.sweep.concurrency.clear();
            self.sweep.rate_per_s.clear();
        }
        if let Some(rate_per_s) = overrides.rate_per_s {
            if sequence {
                return Err(refuse("--rate", "the scenario's sequence is closed, one call in flight"));
            }
            let arrivals = match self.load.model {
                LoadModel::Open { arrivals, .. } => arrivals,
                LoadModel::Closed { .. } => Arrivals::Constant,
            };
            self.load.model = LoadModel::Open { rate_per_s, arrivals };
            self.load.stages.clear();
            self.load.think_time = None;
            self.sweep.think_time_ns.clear();
            self.sweep.concurrency.clear();
            self.sweep.rate_per_s.clear();
        }
        if let Some(ns) = overrides.think_time_ns {
            if matches!(self.load.model, LoadModel::Open { .. }) {
                let why = "an open load has no think time: its schedule says when calls are due";
                return Err(refuse("--think-time", why));
            }
            self.load.think_time = Some(ThinkTime::FixedNs(ns));
            self.sweep.think_time_ns.clear();
        }
        self.override_lengths(overrides)?;
        if let Some(placement) = overrides.placement {
            self.load.placement = Some(placement);
            self.sweep.placement.clear();
        }
        self.seed = overrides.seed.unwrap_or(self.seed);
        if overrides.no_wire_pass {
            self.load.wire_calls = 0;
        }
        if overrides.no_stages {
            self.load.stage_samples = 0;
        }
        let flag = if overrides.rate_per_s.is_some() { "--rate" } else { "--concurrency" };
        match self.first_bad_link(catalogue) {
            Some((_, backend, error)) => Err(refuse(flag, format!("{error} (back end {backend})"))),
            None => Ok(()),
        }
    }

    fn override_lengths(&mut self, overrides: &Overrides) -> Result<(), OverrideError> {
        if let Some(rounds) = overrides.rounds {
            self.load.rounds = rounds;
        }
        if !self.load.stages.is_empty() && (overrides.calls.is_some() || overrides.duration_ns.is_some()) {
            let flag = if overrides.calls.is_some() { "--calls" } else { "--duration" };
            return Err(refuse(flag, "the scenario's stages say how long the load lasts"));
        }
        match (overrides.calls, overrides.duration_ns) {
            (Some(calls), _) => self.load.length = Amount::Calls(calls),
            (None, Some(ns)) => self.load.length = Amount::DurationNs(ns),
            (None, None) => {}
        }
        self.load.warmup = overrides.warmup.unwrap_or(self.load.warmup);
        Ok(())
    }

    /// The first load point and back end whose connections cannot be, if there is one.
    pub(super) fn first_bad_link(&self, catalogue: &dyn Catalogue) -> Option<(LoadPoint, &str, LinkError)> {
        self.load_points().into_iter().find_map(|point| {
            self.backends.iter().find_map(|backend| {
                let error = point.load.links(catalogue.max_in_flight(&backend.kind)).err()?;
                Some((point.clone(), &*backend.name, error))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fixed;
    use super::*;

    fn overridden(scenario: &str, overrides: &Overrides) -> Result<Scenario, &'static str> {
        let mut scenario =
            Scenario::find_under(std::path::Path::new("/nonexistent"), scenario, &Fixed).unwrap();
        scenario.override_with(overrides, &Fixed).map_err(|error| error.flag)?;
        Ok(scenario)
    }

    #[test]
    fn overrides_replace_the_values_of_the_file() {
        let overrides = Overrides {
            rounds: Some(7),
            calls: Some(9),
            warmup: Some(Amount::Calls(0)),
            rate_per_s: Some(500.0),
            placement: Some(Placement::Shared),
            seed: Some(u64::MAX),
            ..Overrides::default()
        };
        let scenario = overridden("quick", &overrides).unwrap();
        assert_eq!(scenario.load.model, LoadModel::Open { rate_per_s: 500.0, arrivals: Arrivals::Constant });
        assert_eq!((scenario.load.rounds, scenario.load.length), (7, Amount::Calls(9)));
        assert_eq!((scenario.load.placement, scenario.seed), (Some(Placement::Shared), u64::MAX));
    }

    #[test]
    fn a_sequence_can_be_cut_but_not_driven_in_parallel() {
        let default = Overrides::default();
        assert!(overridden("seed", &Overrides { calls: Some(10), ..default }).is_ok());
        assert!(overridden("seed", &Overrides { concurrency: Some(1), ..default }).is_ok());
        for (overrides, flag) in [
            (Overrides { concurrency: Some(2), ..default }, "--concurrency"),
            (Overrides { concurrency: Some(0), ..default }, "--concurrency"),
            (Overrides { rate_per_s: Some(10.0), ..default }, "--rate"),
            (Overrides { rounds: Some(0), ..default }, "--rounds"),
            (Overrides { calls: Some(0), ..default }, "--calls"),
            (Overrides { rounds: Some(1_001), ..default }, "--rounds"),
            (Overrides { calls: Some(1_000_000_000_001), ..default }, "--calls"),
            (Overrides { calls: Some(u64::MAX), ..default }, "--calls"),
            (Overrides { warmup: Some(Amount::Calls(u64::MAX)), ..default }, "--warmup"),
            (Overrides { calls: Some(1), duration_ns: Some(1), ..default }, "--duration"),
        ] {
            assert_eq!(overridden("seed", &overrides).err(), Some(flag), "{overrides:?}");
        }
        for rate in [0.0, -1.0, 0.000_9, 1e12, f64::NAN, f64::INFINITY] {
            let overrides = Overrides { rate_per_s: Some(rate), ..default };
            assert_eq!(overridden("quick", &overrides).err(), Some("--rate"));
        }
        let concurrency = Some(4_000_000_000);
        assert_eq!(overridden("quick", &Overrides { concurrency, ..default }).err(), Some("--concurrency"));
        let duration_ns = Some(999_999);
        assert_eq!(overridden("quick", &Overrides { duration_ns, ..default }).err(), Some("--duration"));
    }

    #[test]
    fn the_ends_of_the_files_ranges_are_allowed_too() {
        let default = Overrides::default();
        for overrides in [
            Overrides { rounds: Some(1_000), concurrency: Some(65_536), ..default },
            Overrides { rate_per_s: Some(0.001), duration_ns: Some(1_000_000), ..default },
            Overrides { rate_per_s: Some(1e7), calls: Some(1_000_000_000_000), ..default },
        ] {
            assert!(overridden("quick", &overrides).is_ok(), "{overrides:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let mut scenario =
            Scenario::find_under(std::path::Path::new("/nonexistent"), "quick", &Fixed).unwrap();
        let mut said = |overrides: Overrides| {
            scenario.override_with(&overrides, &Fixed).map_err(|error| error.to_string()).unwrap_err()
        };
        let default = Overrides::default();
        for (overrides, words) in [
            (
                Overrides { rounds: Some(0), ..default },
                "--rounds: expected a whole number from 1 to 1000, found 0",
            ),
            (
                Overrides { rounds: Some(1_000_000_000), ..default },
                "--rounds: expected a whole number from 1 to 1000, found 1000000000",
            ),
            (
                Overrides { rate_per_s: Some(1e12), ..default },
                "--rate: expected a number from 0.001 to 10000000, found 1000000000000",
            ),
            (
                Overrides { duration_ns: Some(9), ..default },
                "--duration: expected a duration of at least 1ms, as \"500ms\", found 9ns",
            ),
        ] {
            assert_eq!(said(overrides), words);
        }
    }
}

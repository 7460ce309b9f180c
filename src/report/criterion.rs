//! A folder as criterion makes it, so that its own tools (critcmp, `--baseline`) read a run.
//!
//! Criterion's sample is a row of measurements, each of so many iterations; here a measurement is a valid
//! round and its iterations are its calls, because calls of one round share its luck. A cell with fewer
//! than two valid rounds has no spread and is left out. The last folder is the baseline, `new`.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{Format, Input, ReportError, ReportFile};
use crate::report::text::file_name;
use crate::result::{CellResult, LoadModel};

pub(super) const FORMAT: Format = Format {
    name: "criterion",
    about: "a folder as criterion's, for critcmp and baselines",
    file_name: "criterion",
    render,
};

/// Where criterion puts the last measurement.
const BASELINE: &str = "new";
const CONFIDENCE: f64 = 0.95;
/// What makes the median absolute deviation of a normal distribution its standard deviation.
const NORMAL_MAD: f64 = 1.4826;
/// The standard error of a normal sample's median, in those of its mean: √(π/2).
const MEDIAN_ERROR: f64 = 1.2533;

#[derive(Serialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<()>,
    full_id: String,
    directory_name: String,
    title: String,
}

#[derive(Serialize)]
struct Sample {
    sampling_mode: &'static str,
    iters: Vec<f64>,
    times: Vec<f64>,
}

#[derive(Serialize)]
struct Interval {
    confidence_level: f64,
    lower_bound: f64,
    upper_bound: f64,
}

#[derive(Serialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
    standard_error: f64,
}

#[derive(Serialize)]
struct Estimates {
    mean: Estimate,
    median: Estimate,
    median_abs_dev: Estimate,
    slope: Option<Estimate>,
    std_dev: Estimate,
}

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let mut files = Vec::new();
    for cell in &input.run.cells {
        let Some(sample) = sample(cell) else { continue };
        let group = input.run.scenario.name.clone();
        let parts: Vec<&str> = [&group, &cell.backend, &cell.point]
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let directory_name = parts.iter().map(|part| file_name(part)).collect::<Vec<_>>().join("/");
        let means: Vec<f64> =
            sample.times.iter().zip(&sample.iters).map(|(time, calls)| time / calls).collect();
        let full_id = parts.join("/");
        let benchmark = Benchmark {
            group_id: group.clone(),
            function_id: Some(cell.backend.clone()),
            value_str: Some(cell.point.clone()).filter(|point| !point.is_empty()),
            throughput: None,
            title: full_id.clone(),
            full_id,
            directory_name: directory_name.clone(),
        };
        let mut add = |name: &str, json: serde_json::Result<Vec<u8>>| -> Result<(), ReportError> {
            let bytes =
                json.map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
            files.push(ReportFile { name: format!("{directory_name}/{BASELINE}/{name}"), bytes });
            Ok(())
        };
        add("benchmark.json", serde_json::to_vec(&benchmark))?;
        add("sample.json", serde_json::to_vec(&sample))?;
        add("estimates.json", serde_json::to_vec(&estimates(&means)))?;
        add("tukey.json", serde_json::to_vec(&fences(&means)))?;
    }
    Ok(files)
}

fn sample(cell: &CellResult) -> Option<Sample> {
    let mut sample = Sample { sampling_mode: "Flat", iters: Vec::new(), times: Vec::new() };
    for round in cell.rounds.iter().filter(|round| round.verdict.is_valid()) {
        let times = match cell.load.model {
            LoadModel::Open => &round.figures.response_ns,
            LoadModel::Closed => &round.figures.service_ns,
        };
        let (calls, Some(mean)) = (times.samples as f64, times.mean) else { continue };
        if calls > 0.0 {
            sample.iters.push(calls);
            sample.times.push(mean * calls);
        }
    }
    (sample.iters.len() >= 2).then_some(sample)
}

/// Estimates of the rounds' means, in nanoseconds; intervals by Student's t over the rounds.
fn estimates(means: &[f64]) -> Estimates {
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    let std_dev = (means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    let middle = quantile(means, 0.5);
    let deviations: Vec<f64> = means.iter().map(|value| (value - middle).abs()).collect();
    let error = std_dev / count.sqrt();
    let spread_error = std_dev / (2.0 * (count - 1.0)).sqrt();
    let t =
        StudentsT::new(0.0, 1.0, count - 1.0).map_or(2.0, |t| t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)));
    let estimate = |point_estimate: f64, standard_error: f64| Estimate {
        confidence_interval: Interval {
            confidence_level: CONFIDENCE,
            lower_bound: (point_estimate - t * standard_error).max(0.0),
            upper_bound: point_estimate + t * standard_error,
        },
        point_estimate,
        standard_error,
    };
    Estimates {
        mean: estimate(mean, error),
        median: estimate(middle, MEDIAN_ERROR * error),
        median_abs_dev: estimate(NORMAL_MAD * quantile(&deviations, 0.5), spread_error),
        slope: None,
        std_dev: estimate(std_dev, spread_error),
    }
}

/// Tukey's fences: severe and mild, below and above.
fn fences(means: &[f64]) -> [f64; 4] {
    let (low, high) = (quantile(means, 0.25), quantile(means, 0.75));
    let range = high - low;
    [low - 3.0 * range, low - 1.5 * range, high + 1.5 * range, high + 3.0 * range]
}

/// A quantile by linear interpolation between the values, of which there is one at least.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::fixture::small_run;
    use crate::report::{Options, render_files};

    /// The files that criterion itself wrote for one of its benchmarks, with their keys.
    fn keys(value: &Value) -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn a_run_becomes_the_folder_that_criterion_would_make() {
        let (run, histograms) = small_run();
        let files = render_files("criterion", &run, &histograms, Options::default()).unwrap();
        let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
        let folder = "echo-of-small-messages/binary-tcp/c64/new";
        assert_eq!(files.len(), 8, "the failed cell has no rounds: {names:?}");
        let json = |name: &str| -> Value {
            let file = files.iter().find(|file| file.name == format!("{folder}/{name}")).unwrap();
            serde_json::from_slice(&file.bytes).unwrap()
        };
        // The keys as criterion 0.8 writes them.
        let benchmark = json("benchmark.json");
        let expected =
            ["group_id", "function_id", "value_str", "throughput", "full_id", "directory_name", "title"];
        assert_eq!(keys(&benchmark), expected);
        assert_eq!(benchmark["full_id"], "echo of small messages/binary-tcp/c64");
        assert_eq!(keys(&json("sample.json")), ["sampling_mode", "iters", "times"]);
        let estimates = json("estimates.json");
        assert_eq!(keys(&estimates), ["mean", "median", "median_abs_dev", "slope", "std_dev"]);
        for part in ["mean", "median", "median_abs_dev", "std_dev"] {
            let of = &estimates[part];
            assert_eq!(keys(of), ["confidence_interval", "point_estimate", "standard_error"]);
            let ends = &of["confidence_interval"];
            assert_eq!(keys(ends), ["confidence_level", "lower_bound", "upper_bound"]);
            let point = of["point_estimate"].as_f64().unwrap();
            assert!(
                ends["lower_bound"].as_f64().unwrap() <= point
                    && point <= ends["upper_bound"].as_f64().unwrap()
            );
        }
        // The mean of the rounds is the mean of the cell, which has equally many calls in each.
        let cell = run.cells.iter().find(|cell| cell.backend == "binary-tcp").unwrap();
        let mean = estimates["mean"]["point_estimate"].as_f64().unwrap();
        assert!((mean / cell.figures.service_ns.mean.unwrap() - 1.0).abs() < 1e-3, "{mean}");
        assert_eq!(json("tukey.json").as_array().unwrap().len(), 4);
    }

    #[test]
    fn estimates_of_a_known_sample_are_right() {
        // python: statistics.mean, stdev and median of [1, 2, 3, 4, 10]; scipy.stats.t.ppf(.975, 4).
        let of = estimates(&[1.0, 2.0, 3.0, 4.0, 10.0]);
        assert!((of.mean.point_estimate - 4.0).abs() < 1e-12);
        assert!((of.std_dev.point_estimate - 3.535_533_905_932_737_8).abs() < 1e-12);
        let ends = &of.mean.confidence_interval;
        let half = 2.776_445_105_197_793 * 3.535_533_905_932_737_8 / 5.0_f64.sqrt();
        assert!((ends.upper_bound - 4.0 - half).abs() < 1e-6 && ends.lower_bound == 0.0);
        assert_eq!(of.median.point_estimate, 3.0);
        assert!((of.median_abs_dev.point_estimate - NORMAL_MAD).abs() < 1e-12);
        assert_eq!(fences(&[1.0, 2.0, 3.0, 4.0, 10.0]), [-4.0, -1.0, 7.0, 10.0]);
    }
}

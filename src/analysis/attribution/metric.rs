//! The figures that are taken apart: what a call takes in time, in processor time and in bytes.

use serde::Serialize;

use crate::result::{Figures, Idle, LoadRecord};

/// A figure whose parts add up, because the parts of a call follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The service time of a typical call, in nanoseconds.
    ServiceNs,
    /// Processor time of client and server together, in microseconds per call.
    CpuUs,
    /// Bytes of request and response together, with envelope and framing, per call.
    Bytes,
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 3] = [Metric::ServiceNs, Metric::CpuUs, Metric::Bytes];

    /// The name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::ServiceNs => "service time",
            Metric::CpuUs => "processor time",
            Metric::Bytes => "bytes",
        }
    }

    /// The figure of a round or of a cell; none where it was not measured.
    #[must_use]
    pub fn of(self, figures: &Figures, load: &LoadRecord) -> Option<f64> {
        match self {
            Metric::ServiceNs => typical_service_ns(figures),
            // A polling thread takes its whole core whatever the calls cost.
            Metric::CpuUs if load.idle == Idle::Spin => None,
            Metric::CpuUs => cpu_us(figures),
            Metric::Bytes => {
                let bytes = &figures.bytes_per_call;
                Some(bytes.request.framed? + bytes.response.framed?)
            }
        }
    }
}

/// The median of each method's service time, weighted by its calls: the median, because a few calls that
/// were stopped must not move it; by method, because the median of a mix is that of one of its methods, and
/// costs of several methods do not add up in it.
fn typical_service_ns(figures: &Figures) -> Option<f64> {
    let (mut sum, mut calls) = (0.0, 0.0);
    for method in figures.methods.values().filter(|method| method.service_ns.samples > 0) {
        // Too few calls for a median weigh little.
        let typical = method.service_ns.p50.map(|p50| p50 as f64).or(method.service_ns.mean)?;
        let weight = method.service_ns.samples as f64;
        sum += weight * typical;
        calls += weight;
    }
    if calls > 0.0 { Some(sum / calls) } else { figures.service_ns.p50.map(|p50| p50 as f64) }
}

/// Without the time that the pacer spun until calls were due, which is none of the call's.
fn cpu_us(figures: &Figures) -> Option<f64> {
    let cpu = &figures.cpu_us_per_call;
    let spun_us = match (figures.spun_ns, figures.calls) {
        (Some(spun_ns), Some(calls)) if calls > 0 => spun_ns as f64 / 1e3 / calls as f64,
        _ => 0.0,
    };
    Some((cpu.client? - spun_us).max(0.0) + cpu.server?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{MethodResult, Quantiles};

    fn method(calls: u64, p50: Option<u64>) -> MethodResult {
        let service_ns = Quantiles { samples: calls, p50, mean: Some(9.0), ..Quantiles::default() };
        MethodResult { calls, service_ns, ..MethodResult::default() }
    }

    #[test]
    fn a_mix_costs_the_medians_of_its_methods_by_weight() {
        let mut figures = Figures::default();
        assert_eq!(Metric::ServiceNs.of(&figures, &LoadRecord::default()), None);
        figures.methods.insert("often".into(), method(300, Some(100)));
        figures.methods.insert("seldom".into(), method(100, Some(500)));
        figures.methods.insert("never".into(), method(0, None));
        assert_eq!(Metric::ServiceNs.of(&figures, &LoadRecord::default()), Some(200.0));
    }

    #[test]
    fn processor_time_is_known_of_both_sides_or_not_at_all() {
        let mut figures = Figures { calls: Some(1_000), spun_ns: Some(2_000_000), ..Figures::default() };
        figures.cpu_us_per_call.client = Some(10.0);
        assert_eq!(Metric::CpuUs.of(&figures, &LoadRecord::default()), None);
        figures.cpu_us_per_call.server = Some(5.0);
        assert_eq!(Metric::CpuUs.of(&figures, &LoadRecord::default()), Some(13.0));
        let spinning = LoadRecord { idle: Idle::Spin, ..LoadRecord::default() };
        assert_eq!(Metric::CpuUs.of(&figures, &spinning), None);
    }
}

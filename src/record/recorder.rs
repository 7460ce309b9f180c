//! The recorder: one per client thread.

use hdrhistogram::Histogram;

use super::background::Background;
use crate::result::hlog::{Kind, SIGNIFICANT_DIGITS};

/// One second, the length of an interval.
pub const INTERVAL_NS: u64 = 1_000_000_000;
/// Values beyond this are recorded as this: no call outlives its time-out, and this is beyond any.
const MAX_NS: u64 = 600_000_000_000;

/// The moments of one call that has its answer, in nanoseconds of one clock.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The method's position.
    pub method: usize,
    /// When the schedule said so.
    pub due_ns: u64,
    /// When the pacer released it.
    pub ready_ns: u64,
    /// When it got a slot.
    pub start_ns: u64,
    /// When a stream's first item was decoded; `None` where the method does not stream.
    pub first_item_ns: Option<u64>,
    /// When its answer was decoded, or a stream's end was there.
    pub done_ns: u64,
}

/// Which figures a load model has. In a closed loop due = ready = start, so the service time is the
/// response time and there is neither wait nor lag to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Service time only.
    Closed,
    /// Response, service, wait and lag.
    Open,
    /// As closed, and a stream's time to its first item.
    ClosedStreams,
    /// As open, and a stream's time to its first item.
    OpenStreams,
}

impl Kinds {
    /// The kinds of a load model, for methods of which some may stream.
    #[must_use]
    pub fn of(open: bool, streams: bool) -> Self {
        match (open, streams) {
            (false, false) => Kinds::Closed,
            (true, false) => Kinds::Open,
            (false, true) => Kinds::ClosedStreams,
            (true, true) => Kinds::OpenStreams,
        }
    }

    /// The kinds that are recorded, in the order of [`Interval::histograms`].
    #[must_use]
    pub fn list(self) -> &'static [Kind] {
        match self {
            Kinds::Closed => &[Kind::Service],
            Kinds::Open => &[Kind::Service, Kind::Response, Kind::Wait, Kind::Lag],
            Kinds::ClosedStreams => &[Kind::Service, Kind::FirstItem],
            Kinds::OpenStreams => &[Kind::Service, Kind::Response, Kind::Wait, Kind::Lag, Kind::FirstItem],
        }
    }
}

/// The histograms of one interval.
#[derive(Debug)]
pub struct Interval {
    /// When it begins.
    pub start_ns: u64,
    /// When it ends.
    pub end_ns: u64,
    /// By method, then by kind.
    pub histograms: Vec<Histogram<u32>>,
    /// Which kinds.
    pub kinds: Kinds,
    is_empty: bool,
}

impl Interval {
    fn new(methods: usize, kinds: Kinds) -> Self {
        let histogram = || Histogram::new_with_bounds(1, MAX_NS, SIGNIFICANT_DIGITS).ok();
        let count = methods * kinds.list().len();
        // The bounds are constants for which a histogram exists; its creation is tested.
        let histograms = (0..count).filter_map(|_| histogram()).collect();
        Self { start_ns: 0, end_ns: 0, histograms, kinds, is_empty: true }
    }

    /// The histograms that have samples, with their method and kind.
    pub fn filled(&self) -> impl Iterator<Item = (usize, Kind, &Histogram<u32>)> {
        let kinds = self.kinds.list();
        self.histograms
            .iter()
            .enumerate()
            .filter(|(_, histogram)| !histogram.is_empty())
            .map(move |(index, histogram)| (index / kinds.len(), kinds[index % kinds.len()], histogram))
    }

    /// Forgets every sample.
    pub fn clear(&mut self) {
        for histogram in &mut self.histograms {
            if !histogram.is_empty() {
                histogram.clear();
            }
        }
        self.is_empty = true;
    }
}

/// Records calls into intervals, handing each full interval to the background.
#[derive(Debug)]
pub struct Recorder {
    current: Interval,
    background: Background,
    kinds: Kinds,
}

impl Recorder {
    /// A recorder for `methods` methods whose first interval begins at `start_ns`.
    #[must_use]
    pub fn new(methods: usize, kinds: Kinds, start_ns: u64, background: Background) -> Self {
        let mut current = Interval::new(methods, kinds);
        current.start_ns = start_ns;
        current.end_ns = start_ns + INTERVAL_NS;
        // One interval being filled, one being written, one in reserve.
        for _ in 0..2 {
            background.give_back(Interval::new(methods, kinds));
        }
        Self { current, background, kinds }
    }

    /// Records one answered call.
    pub fn record(&mut self, sample: &Sample) {
        if sample.done_ns >= self.current.end_ns {
            self.roll(sample.done_ns);
        }
        self.current.is_empty = false;
        let service_ns = sample.done_ns.saturating_sub(sample.start_ns);
        let kinds = self.kinds.list().len();
        let at = sample.method * kinds;
        self.add(at, service_ns);
        if matches!(self.kinds, Kinds::Open | Kinds::OpenStreams) {
            self.add(at + 1, sample.done_ns.saturating_sub(sample.due_ns));
            self.add(at + 2, sample.start_ns.saturating_sub(sample.ready_ns));
            self.add(at + 3, sample.ready_ns.saturating_sub(sample.due_ns));
        }
        if let (Kinds::ClosedStreams | Kinds::OpenStreams, Some(first_ns)) =
            (self.kinds, sample.first_item_ns)
        {
            self.add(at + kinds - 1, first_ns.saturating_sub(sample.start_ns));
        }
    }

    fn add(&mut self, at: usize, value_ns: u64) {
        if let Some(histogram) = self.current.histograms.get_mut(at) {
            histogram.saturating_record(value_ns);
        }
    }

    /// Ends the interval that `now_ns` is beyond. Where the background has not kept up, the interval
    /// simply goes on: its real length is written with it.
    fn roll(&mut self, now_ns: u64) {
        let passed = (now_ns - self.current.start_ns) / INTERVAL_NS;
        let end_ns = self.current.start_ns + passed * INTERVAL_NS;
        if self.current.is_empty {
            self.current.start_ns = end_ns;
            self.current.end_ns = end_ns + INTERVAL_NS;
            return;
        }
        match self.background.take_spare() {
            None => self.current.end_ns = end_ns + INTERVAL_NS,
            Some(mut fresh) => {
                fresh.start_ns = end_ns;
                fresh.end_ns = end_ns + INTERVAL_NS;
                let mut full = std::mem::replace(&mut self.current, fresh);
                full.end_ns = end_ns;
                self.background.hand_over(full);
            }
        }
    }

    /// Ends recording at `end_ns`: hands over the last interval and waits until all are written.
    pub fn finish(mut self, end_ns: u64) {
        if !self.current.is_empty {
            self.current.end_ns = end_ns.max(self.current.start_ns + 1);
            self.background.hand_over(self.current);
        }
        self.background.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    type Written = Arc<Mutex<Vec<(u64, u64, Vec<(usize, Kind, u64)>)>>>;

    fn recorder(kinds: Kinds) -> (Recorder, Written) {
        let written: Written = Arc::default();
        let sink = Arc::clone(&written);
        let background = Background::start(Box::new(move |interval: &Interval| {
            let filled =
                interval.filled().map(|(method, kind, histogram)| (method, kind, histogram.len())).collect();
            sink.lock().unwrap().push((interval.start_ns, interval.end_ns, filled));
        }))
        .unwrap();
        (Recorder::new(2, kinds, 0, background), written)
    }

    fn sample(method: usize, due_ns: u64, done_ns: u64) -> Sample {
        let first_item_ns = None;
        Sample { method, due_ns, ready_ns: due_ns + 1, start_ns: due_ns + 2, first_item_ns, done_ns }
    }

    #[test]
    fn calls_land_in_the_interval_in_which_they_are_done() {
        let (mut recorder, written) = recorder(Kinds::Closed);
        recorder.record(&sample(0, 0, 999_999_999));
        recorder.record(&sample(1, 0, 1_000_000_000));
        recorder.record(&sample(1, 0, 3_500_000_000));
        recorder.finish(3_600_000_000);
        let written = written.lock().unwrap();
        assert_eq!(
            *written,
            [
                (0, 1_000_000_000, vec![(0, Kind::Service, 1)]),
                (1_000_000_000, 3_000_000_000, vec![(1, Kind::Service, 1)]),
                (3_000_000_000, 3_600_000_000, vec![(1, Kind::Service, 1)]),
            ]
        );
    }

    #[test]
    fn an_open_loop_records_all_four_kinds() {
        let (mut recorder, written) = recorder(Kinds::Open);
        recorder.record(&sample(1, 100, 5_000));
        recorder.finish(6_000);
        let written = written.lock().unwrap();
        assert_eq!(
            written[0].2,
            [(1, Kind::Service, 1), (1, Kind::Response, 1), (1, Kind::Wait, 1), (1, Kind::Lag, 1)]
        );
    }

    #[test]
    fn a_stream_has_its_time_to_the_first_item_beside_the_others() {
        for (open, kinds) in [(false, 2), (true, 5)] {
            let (mut recorder, written) = recorder(Kinds::of(open, true));
            recorder.record(&Sample { first_item_ns: Some(700), ..sample(1, 100, 5_000) });
            recorder.record(&sample(0, 100, 5_000));
            recorder.finish(6_000);
            let written = written.lock().unwrap();
            let streams: Vec<Kind> =
                written[0].2.iter().filter(|(method, ..)| *method == 1).map(|(_, kind, _)| *kind).collect();
            assert_eq!(streams.len(), kinds);
            assert_eq!(streams.last(), Some(&Kind::FirstItem));
            assert!(!written[0].2.contains(&(0, Kind::FirstItem, 1)), "method 0 does not stream");
        }
    }

    #[test]
    fn no_sample_is_lost_over_many_intervals() {
        let (mut recorder, written) = recorder(Kinds::Closed);
        for second in 0..1_000 {
            recorder.record(&sample(0, second * INTERVAL_NS, second * INTERVAL_NS + 5));
        }
        recorder.finish(1_000 * INTERVAL_NS);
        let total: u64 =
            written.lock().unwrap().iter().flat_map(|(_, _, filled)| filled).map(|(_, _, n)| n).sum();
        assert_eq!(total, 1_000);
    }
}

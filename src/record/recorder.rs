//! The recorder: one per client thread.

use hdrhistogram::Histogram;

use super::background::Background;
use crate::result::hlog::{Kind, SIGNIFICANT_DIGITS};

/// The longest interval, and the length of those of any round of eight seconds or more.
pub const LONGEST_INTERVAL_NS: u64 = 1_000_000_000;
/// The shortest interval: a tenth of a second at a thousand calls per second still has a median.
pub const SHORTEST_INTERVAL_NS: u64 = 100_000_000;
/// A round is cut into so many intervals, so that its parts can be compared: whether it was stable,
/// whether calls waited ever longer.
const INTERVALS: u64 = 8;
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

/// How long the intervals of a round are. The log's contract is one interval per second; shorter
/// rounds have finer ones, because the verdicts compare the parts of a round. A log says the length
/// of each, so that readers need not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalLength {
    /// All the same.
    Fixed(u64),
    /// An eighth of the time that the round has lasted so far: how long it will last is not known.
    Growing,
}

impl IntervalLength {
    /// For a round whose length is known, or is not because a number of calls ends it.
    #[must_use]
    pub fn of_round(length_ns: Option<u64>) -> Self {
        length_ns.map_or(Self::Growing, |length_ns| Self::Fixed(within_bounds(length_ns / INTERVALS)))
    }

    /// The length of the interval that begins when the round has lasted so long.
    #[must_use]
    pub fn at(self, elapsed_ns: u64) -> u64 {
        match self {
            Self::Fixed(length_ns) => length_ns,
            Self::Growing => within_bounds(elapsed_ns / INTERVALS),
        }
    }
}

fn within_bounds(length_ns: u64) -> u64 {
    length_ns.clamp(SHORTEST_INTERVAL_NS, LONGEST_INTERVAL_NS)
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
    begun_ns: u64,
    length: IntervalLength,
    /// Of the current interval.
    length_ns: u64,
}

impl Recorder {
    /// A recorder for `methods` methods whose first interval begins at `start_ns`.
    #[must_use]
    pub fn new(
        methods: usize,
        kinds: Kinds,
        start_ns: u64,
        length: IntervalLength,
        background: Background,
    ) -> Self {
        let length_ns = length.at(0);
        let mut current = Interval::new(methods, kinds);
        current.start_ns = start_ns;
        current.end_ns = start_ns + length_ns;
        // One interval being filled, one being written, one in reserve.
        for _ in 0..2 {
            background.give_back(Interval::new(methods, kinds));
        }
        Self { current, background, kinds, begun_ns: start_ns, length, length_ns }
    }

    /// Moves the begin of the first interval, before anything was recorded.
    pub fn begins(&mut self, at_ns: u64) {
        self.begun_ns = at_ns;
        self.current.start_ns = at_ns;
        self.current.end_ns = at_ns + self.length_ns;
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
        let passed = (now_ns - self.current.start_ns) / self.length_ns;
        let end_ns = self.current.start_ns + passed * self.length_ns;
        let next_ns = self.length.at(end_ns - self.begun_ns);
        if self.current.is_empty {
            self.current.start_ns = end_ns;
            self.current.end_ns = end_ns + next_ns;
            self.length_ns = next_ns;
            return;
        }
        match self.background.take_spare() {
            None => self.current.end_ns = end_ns + self.length_ns,
            Some(mut fresh) => {
                self.length_ns = next_ns;
                fresh.start_ns = end_ns;
                fresh.end_ns = end_ns + next_ns;
                let mut full = std::mem::replace(&mut self.current, fresh);
                full.end_ns = end_ns;
                self.background.hand_over(full);
            }
        }
    }

    /// Ends recording at `end_ns`: hands over the last interval, which lasts no longer than it was to, and
    /// waits until all are written.
    pub fn finish(mut self, end_ns: u64) {
        if !self.current.is_empty {
            self.current.end_ns = end_ns.max(self.current.start_ns + 1).min(self.current.end_ns);
            self.background.hand_over(self.current);
        }
        self.background.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    const SECOND_NS: u64 = 1_000_000_000;

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
        (Recorder::new(2, kinds, 0, IntervalLength::Fixed(SECOND_NS), background), written)
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
            recorder.record(&sample(0, second * SECOND_NS, second * SECOND_NS + 5));
        }
        recorder.finish(1_000 * SECOND_NS);
        let total: u64 =
            written.lock().unwrap().iter().flat_map(|(_, _, filled)| filled).map(|(_, _, n)| n).sum();
        assert_eq!(total, 1_000);
    }

    #[test]
    fn short_rounds_have_finer_intervals_and_long_ones_a_second() {
        let of_ms = |ms: u64| IntervalLength::of_round(Some(ms * 1_000_000));
        for (round_ms, interval_ms) in
            [(10, 100), (1_500, 187), (4_000, 500), (8_000, 1_000), (60_000, 1_000)]
        {
            assert_eq!(of_ms(round_ms).at(0) / 1_000_000, interval_ms, "{round_ms} ms");
        }
        let growing = IntervalLength::of_round(None);
        for (elapsed_ms, interval_ms) in [(0, 100), (800, 100), (4_000, 500), (80_000, 1_000)] {
            assert_eq!(growing.at(elapsed_ms * 1_000_000) / 1_000_000, interval_ms, "{elapsed_ms} ms");
        }
    }
}

//! Interval logs: every histogram of a round in the format of HdrHistogram's `HistogramLogReader`.
//!
//! One line per method, kind and interval, tagged `<method>/<kind>`; values in nanoseconds with
//! three significant digits, V2 compressed. The format is that of `HistogramLogWriter` (HdrHistogram,
//! log format version 1.3); times are seconds after `BaseTime`, and the maximum, which is for people
//! only, is in nanoseconds too.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Significant decimal digits of every histogram.
pub const SIGNIFICANT_DIGITS: u8 = 3;
/// The longest encoded histogram that is read: one with every bucket of 64 bits taken is far smaller.
const MAX_ENCODED_BYTES: usize = 8 << 20;

/// What a histogram counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// done − due.
    Response,
    /// done − start.
    Service,
    /// start − ready.
    Wait,
    /// ready − due.
    Lag,
    /// A stage of sampled calls; the tag's first part is the stage's name.
    Stage,
    /// Of a stream: its first item is decoded − start.
    #[serde(rename = "first_item")]
    FirstItem,
    /// A step of opening a connection; the tag's first part is its name.
    Connection,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
        Kind::Response,
        Kind::Service,
        Kind::Wait,
        Kind::Lag,
        Kind::Stage,
        Kind::FirstItem,
        Kind::Connection,
    ];

    /// The name in tags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Response => "response",
            Kind::Service => "service",
            Kind::Wait => "wait",
            Kind::Lag => "lag",
            Kind::Stage => "stage",
            Kind::FirstItem => "first_item",
            Kind::Connection => "connection",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A histogram and when its calls were recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// The method (or the stage).
    pub method: String,
    /// What is counted.
    pub kind: Kind,
    /// Begin of the interval, in seconds after the begin of the round's measured interval.
    pub start_s: f64,
    /// Its length in seconds.
    pub length_s: f64,
    /// The values in nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Why an interval log cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HlogError {
    /// A histogram cannot be put into the format.
    #[error("cannot write the histogram of {method}/{kind}: {reason}")]
    Write {
        /// The method.
        method: String,
        /// The kind.
        kind: &'static str,
        /// What the serializer said.
        reason: String,
    },
    /// A line is not of the format.
    #[error("line {line} of the interval log: {reason}; was the file edited or cut?")]
    Read {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Two histograms cannot be added.
    #[error("cannot merge the histograms of {method}/{kind}: {reason}")]
    Merge {
        /// The method.
        method: String,
        /// The kind.
        kind: &'static str,
        /// What the histogram said.
        reason: String,
    },
}

/// Writes an interval log into a text.
pub struct Writer {
    text: Vec<u8>,
    serializer: V2DeflateSerializer,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Writer {
    /// A log with its header. `begun_unix_ms` is the begin of the measured interval, to which the
    /// times of the lines are relative.
    #[must_use]
    pub fn new(begun_unix_ms: u64) -> Self {
        let mut writer = Self { text: Vec::new(), serializer: V2DeflateSerializer::new() };
        let begun = SystemTime::UNIX_EPOCH + Duration::from_millis(begun_unix_ms);
        // A Vec takes everything that is written to it; the result says nothing.
        let _ = IntervalLogWriterBuilder::new()
            .add_comment("[Wirebench interval log, values in nanoseconds]")
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(begun)
            .with_base_time(begun)
            .begin_log_with(&mut writer.text, &mut writer.serializer);
        writer.text.extend_from_slice(
            b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        );
        writer
    }

    /// Appends an interval; one without values is left out. Times are seconds after the begin, kept
    /// to the millisecond.
    ///
    /// # Errors
    /// The histogram cannot be serialized.
    pub fn add<C: Counter>(
        &mut self,
        method: &str,
        kind: Kind,
        start_s: f64,
        length_s: f64,
        histogram: &Histogram<C>,
    ) -> Result<(), HlogError> {
        if histogram.is_empty() {
            return Ok(());
        }
        let failed =
            |reason: String| HlogError::Write { method: method.to_owned(), kind: kind.name(), reason };
        let seconds =
            |value: f64| Duration::try_from_secs_f64(value).map_err(|error| failed(error.to_string()));
        let (start, length) = (seconds(start_s)?, seconds(length_s)?);
        let tag = tag(method, kind);
        let written = self.text.len();
        let result = IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.text, &mut self.serializer)
            .map_err(|error| failed(error.to_string()))
            .and_then(|mut log| {
                log.write_histogram(histogram, start, length, Tag::new(&tag))
                    .map_err(|error| failed(format!("{error:?}")))
            });
        if result.is_err() {
            self.text.truncate(written);
        }
        result
    }

    /// The log.
    #[must_use]
    pub fn into_text(self) -> String {
        String::from_utf8(self.text).unwrap_or_default()
    }
}

/// The tag of a method and kind. Tags may hold no comma, space or line end, and the slash parts
/// method from kind: everything but ASCII letters, digits, `.`, `_` and `-` stands as `%XX`.
#[must_use]
pub fn tag(method: &str, kind: Kind) -> String {
    format!("{}/{}", escaped(method), kind.name())
}

fn escaped(name: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads an interval log. Lines without a tag, or whose tag has no kind, are response times of the
/// tag's method. A last line that was cut (the process was killed while writing) is left out.
///
/// # Errors
/// A line other than the last is not of the format.
pub fn read(text: &str) -> Result<Vec<Interval>, HlogError> {
    let complete = text.rfind('\n').map_or(0, |end| end + 1);
    let (complete, tail) = text.split_at(complete);
    let mut intervals = Vec::new();
    for (index, line) in complete.lines().enumerate() {
        match interval_of(line) {
            Ok(Some(interval)) => intervals.push(interval),
            Ok(None) => {}
            Err(reason) => return Err(HlogError::Read { line: index + 1, reason }),
        }
    }
    if let Ok(Some(interval)) = interval_of(tail) {
        intervals.push(interval);
    }
    Ok(intervals)
}

fn interval_of(line: &str) -> Result<Option<Interval>, String> {
    let line = line.trim_end();
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > MAX_ENCODED_BYTES {
        return Err(format!("it is longer than {MAX_ENCODED_BYTES} bytes"));
    }
    let ended = format!("{line}\n");
    let entry = match IntervalLogIterator::new(ended.as_bytes()).next() {
        None | Some(Ok(LogEntry::StartTime(_) | LogEntry::BaseTime(_))) => return Ok(None),
        Some(Ok(LogEntry::Interval(entry))) => entry,
        Some(Err(_)) => return Err("it is neither a comment nor an interval".to_owned()),
    };
    let encoded = base64::engine::general_purpose::STANDARD
        .decode(entry.encoded_histogram())
        .map_err(|error| format!("the histogram is not base64: {error}"))?;
    let histogram = Deserializer::new()
        .deserialize(&mut encoded.as_slice())
        .map_err(|error| format!("the histogram is damaged: {error}"))?;
    let name = entry.tag().map_or("", |tag| tag.as_str());
    let (method, kind) = match name.rsplit_once('/').map(|(method, kind)| (method, Kind::by_name(kind))) {
        Some((method, Some(kind))) => (method, kind),
        _ => (name, Kind::Response),
    };
    Ok(Some(Interval {
        method: unescaped(method).unwrap_or_else(|| method.to_owned()),
        kind,
        start_s: entry.start_timestamp().as_secs_f64(),
        length_s: entry.duration().as_secs_f64(),
        histogram,
    }))
}

/// Adds up the histograms of each method and kind.
///
/// # Errors
/// A count does not fit in 64 bits.
pub fn merge<'a>(
    intervals: impl IntoIterator<Item = &'a Interval>,
) -> Result<BTreeMap<(String, Kind), Histogram<u64>>, HlogError> {
    let mut merged = BTreeMap::new();
    for interval in intervals {
        add(&mut merged, &interval.method, interval.kind, &interval.histogram)?;
    }
    Ok(merged)
}

/// Adds a histogram to those of its method and kind.
pub(super) fn add(
    merged: &mut BTreeMap<(String, Kind), Histogram<u64>>,
    method: &str,
    kind: Kind,
    histogram: &Histogram<u64>,
) -> Result<(), HlogError> {
    let failed = |reason: String| HlogError::Merge { method: method.to_owned(), kind: kind.name(), reason };
    match merged.entry((method.to_owned(), kind)) {
        std::collections::btree_map::Entry::Occupied(mut entry) => {
            entry.get_mut().add(histogram).map_err(|error| failed(error.to_string()))
        }
        std::collections::btree_map::Entry::Vacant(entry) => {
            let mut first = Histogram::new(SIGNIFICANT_DIGITS).map_err(|error| failed(error.to_string()))?;
            first.add(histogram).map_err(|error| failed(error.to_string()))?;
            entry.insert(first);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new(SIGNIFICANT_DIGITS).unwrap();
        for value in values {
            histogram.record(*value).unwrap();
        }
        histogram
    }

    #[test]
    fn what_is_written_is_read_again_for_any_method_name() {
        let mut writer = Writer::new(1_700_000_000_123);
        for name in ["getObj", "a b,c/d%\r\n", "größe", "", "<script>"] {
            writer.add(name, Kind::Wait, 1.5, 1.0, &histogram(&[5, 100_000, 7_000_000_000])).unwrap();
        }
        let text = writer.into_text();
        let intervals = read(&text).unwrap();
        let names: Vec<&str> = intervals.iter().map(|interval| &*interval.method).collect();
        assert_eq!(names, ["getObj", "a b,c/d%\r\n", "größe", "", "<script>"]);
        assert!(
            intervals.iter().all(|interval| interval.kind == Kind::Wait && interval.histogram.len() == 3)
        );
        assert_eq!((intervals[0].start_s, intervals[0].length_s), (1.5, 1.0));
    }

    #[test]
    fn the_header_is_what_the_java_reader_understands() {
        let mut writer = Writer::new(1_700_000_000_123);
        writer.add("m", Kind::Lag, 0.0, 1.0, &histogram(&[2_000_000])).unwrap();
        writer.add("m", Kind::Lag, 1.0, 1.0, &histogram(&[])).unwrap();
        let text = writer.into_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "#[Histogram log format version 1.3]");
        assert_eq!(lines[2], "#[StartTime: 1700000000.123 (seconds since epoch)]");
        assert_eq!(lines[3], "#[BaseTime: 1700000000.123 (seconds since epoch)]");
        assert!(lines[4].starts_with("\"StartTimestamp\","), "{text}");
        assert!(lines[5].starts_with("Tag=m/lag,0.000,1.000,2000"), "{text}");
        assert_eq!(lines.len(), 6, "an empty interval is left out");
    }

    #[test]
    fn a_log_of_another_program_is_read() {
        // The first interval of tagged-Log.logV2.hlog, test data of HdrHistogram itself.
        let log = "#[Logged with jHiccup version 2.0.7-SNAPSHOT]\n#[Histogram log format version 1.2]\n\
            #[StartTime: 1441812279.474 (seconds since epoch), Wed Sep 09 08:24:39 PDT 2015]\n\
            \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n\
            0.127,1.007,2.769,HISTFAAAAEV42pNpmSzMwMCgyAABTBDKT4GBgdnNYMcCBvsPEBEJISEuATEZMQ4uASkhIR4nrxg9v2lMaxhvMekILGZkKmcCAEf2CsI=\n";
        let intervals = read(log).unwrap();
        assert_eq!((intervals[0].method.as_str(), intervals[0].kind), ("", Kind::Response));
        assert!(!intervals[0].histogram.is_empty());
        assert_eq!(intervals[0].start_s, 0.127);
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_a_damaged_earlier_one_is_an_error() {
        let mut writer = Writer::new(0);
        writer.add("a", Kind::Service, 0.0, 1.0, &histogram(&[1, 2, 3])).unwrap();
        writer.add("b", Kind::Service, 0.0, 1.0, &histogram(&[1, 2, 3])).unwrap();
        let text = writer.into_text();
        let whole = read(&text).unwrap();
        let start_of_last = text.trim_end().rfind('\n').unwrap() + 1;
        for end in start_of_last..text.len() - 1 {
            // Of the last bytes only the checksum is lost: the histogram is whole or left out.
            let found = read(&text[..end]).unwrap();
            assert!(found.len() == 1 || found[..] == whole[..], "cut at {end}");
        }
        assert_eq!(read(text.trim_end()).unwrap().len(), 2, "whole, without its line end");
        let damaged = text.replace("HIST", "HISx");
        let error = read(&damaged).unwrap_err().to_string();
        assert!(error.starts_with("line 6 of the interval log: the histogram is damaged"), "{error}");
    }

    #[test]
    fn merging_adds_the_intervals_of_a_method_and_kind() {
        let mut writer = Writer::new(0);
        for start in 0..3 {
            writer.add("a", Kind::Service, f64::from(start), 1.0, &histogram(&[1_000, 9_000_000])).unwrap();
        }
        writer.add("a", Kind::Lag, 0.0, 1.0, &histogram(&[7])).unwrap();
        let merged = merge(&read(&writer.into_text()).unwrap()).unwrap();
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[&("a".to_owned(), Kind::Service)].len(), 6);
    }
}

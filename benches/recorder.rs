//! What recording one call costs: a closed loop's one histogram, an open loop's four, and a clock
//! read to compare with.
//!
//! Takes 8 s.

#![allow(clippy::expect_used)] // A bench that cannot be set up has nothing to say.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use wirebench::clock::now_ns;
use wirebench::record::{Background, IntervalLength, Kinds, Recorder, Sample};

/// Service times as they come: a few microseconds, sometimes a hundred times that.
fn service_ns(index: u64) -> u64 {
    let hash = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    20_000 + hash / 8 + if hash.is_multiple_of(100) { 2_000_000 } else { 0 }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group("recorder");
    for (name, kinds) in [("closed", Kinds::Closed), ("open", Kinds::Open)] {
        let background = Background::start(Box::new(|interval| {
            black_box(interval.filled().count());
        }));
        let length = IntervalLength::Fixed(1_000_000_000);
        let mut recorder = Recorder::new(2, kinds, 0, length, background.expect("a thread"));
        let mut index = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                index += 1;
                // A call each microsecond, so that the seconds' change of intervals is included.
                let due_ns = index * 1_000;
                let (ready_ns, start_ns) = (due_ns + 700, due_ns + 900);
                let done_ns = start_ns + service_ns(index);
                let method = (index % 2) as usize;
                let first_item_ns = None;
                recorder.record(black_box(&Sample {
                    method,
                    due_ns,
                    ready_ns,
                    start_ns,
                    first_item_ns,
                    done_ns,
                }));
            });
        });
        recorder.finish((index + 1) * 1_000);
    }
    group.bench_function("clock read", |bencher| bencher.iter(now_ns));
    group.finish();
    criterion.final_summary();
}

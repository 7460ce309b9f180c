//! Think times, stages and capacity: what is read, and what is refused.

use super::errors::{REST, check};
use super::*;

fn load(text: &str) -> Load {
    parse(&format!("name = \"x\"\n{REST}[load]\n{text}\n")).load
}

#[test]
fn think_times_are_read_in_every_form() {
    for (text, think) in [
        ("think_time = \"5ms\"", ThinkTime::FixedNs(5_000_000)),
        ("think_time = { fixed = \"0s\" }", ThinkTime::FixedNs(0)),
        ("think_time = { uniform = [\"1ms\", \"2ms\"] }", ThinkTime::UniformNs(1_000_000, 2_000_000)),
        ("think_time = { uniform = { min = \"1us\", max = \"1us\" } }", ThinkTime::UniformNs(1_000, 1_000)),
        ("think_time = { exponential = \"5ms\" }", ThinkTime::ExponentialNs(5_000_000)),
    ] {
        assert_eq!(load(text).think_time, Some(think), "{text}");
    }
    assert_eq!(load("").think_time, None);
    assert_eq!(load("think_time = \"0s\"").thinks(), None, "nobody thinks for no time");
}

#[test]
fn gaps_between_calls_are_an_axis() {
    let scenario = parse(&format!(
        "name = \"x\"\n{REST}[load]\ncalls = 5\n[sweep]\nthink_time = [\"0s\", \"1.5ms\"]\nidle = [\"park\"]\n"
    ));
    let points = scenario.load_points();
    let found: Vec<_> = points.iter().map(|point| (&*point.label, point.load.think_time)).collect();
    assert_eq!(
        found,
        [
            ("idle=park think_time=0s", Some(ThinkTime::FixedNs(0))),
            ("idle=park think_time=1.5ms", Some(ThinkTime::FixedNs(1_500_000))),
        ]
    );
}

#[test]
fn think_times_that_cannot_be_are_refused() {
    check(
        &[
            ("think_time = 5", "3:1", "a duration with its unit, as \"500ms\", or a table"),
            ("think_time = \"-5ms\"", "3:1", "expected a number with a unit"),
            ("think_time = \"9999h\"", "3:1", "longer than 30 days"),
            ("think_time = {}", "3:1", "expected exactly one key, found 0"),
            ("think_time = { bimodal = 5 }", "3:16", "allowed: fixed, uniform, exponential"),
            ("think_time = { fixed = \"1ms\", exponential = \"1ms\" }", "3:1", "exactly one key, found 2"),
            ("think_time = { uniform = [\"2ms\", \"1ms\"] }", "3:16", "min is greater than max"),
            (
                "open = { rate_per_s = 5 }\nthink_time = \"1ms\"",
                "4:1",
                "an open load has no think time: its schedule says when calls are due",
            ),
        ],
        "name = \"x\"\n[load]\n",
        REST,
    );
    check(
        &[
            ("think_time = [\"1ms\"]\n[load]\nopen = { rate_per_s = 5 }", "3:1", "no think time"),
            ("think_time = [\"1ms\", \"1ms\"]", "3:22", "in the list twice"),
            ("think_time = [\"1ms\", 5]", "3:22", "a duration with its unit"),
        ],
        "name = \"x\"\n[sweep]\n",
        REST,
    );
}

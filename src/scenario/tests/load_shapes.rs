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

fn rate(from_per_s: f64, to_per_s: f64) -> Level {
    Level::Rate { from_per_s, to_per_s }
}

#[test]
fn stages_are_steps_and_ramps_and_say_the_model_and_the_length() {
    let load = load(
        "open.arrivals = \"poisson\"\nstages = [{ rate_per_s = 500, for = \"4s\" }, { ramp_to_per_s = 1500, for = \"2s\", \
         label = \"rush\" }, { ramp_from_per_s = 100, ramp_to_per_s = 0, for = \"4s\" }]",
    );
    let levels: Vec<Level> = load.stages.iter().map(|stage| stage.level).collect();
    assert_eq!(levels, [rate(500.0, 500.0), rate(500.0, 1_500.0), rate(100.0, 0.0)]);
    let names: Vec<String> = load.stages.iter().map(Stage::name).collect();
    assert_eq!(names, ["500/s for 4s", "rush", "100 to 0/s in 4s"]);
    assert_eq!(load.length, Amount::DurationNs(10_000_000_000));
    // 2,000, 2,000 and 200 calls in ten seconds.
    assert_eq!(load.model, LoadModel::Open { rate_per_s: 420.0, arrivals: Arrivals::Poisson });
}

#[test]
fn stages_of_concurrency_need_as_many_connections_as_the_highest() {
    let load = load(
        "think_time = \"1ms\"\nstages = [{ concurrency = 2, for = \"1s\" }, { concurrency = 9, for = \"1s\" }]",
    );
    assert_eq!(load.model, LoadModel::Closed { concurrency: 9 });
    assert_eq!(load.links(1).unwrap().connections, 9);
    assert_eq!(load.stages[1].name(), "9 in flight for 1s");
}

#[test]
fn every_thread_has_room_for_its_calls() {
    let links = |text: &str| load(text).links(16).map(|links| (links.connections, links.in_flight));
    let closed = |concurrency: u32, threads: u32| {
        format!("closed = {{ concurrency = {concurrency} }}\nclient_threads = {threads}\n")
    };
    assert_eq!(links(&(closed(6, 2) + "in_flight = 2")).unwrap(), (4, 2));
    assert_eq!(links(&(closed(6, 2) + "connections = 3")).unwrap(), (3, 3));
    assert_eq!(links(&closed(50, 2)).unwrap(), (4, 13));
    assert_eq!(links(&closed(50, 1)).unwrap(), (4, 13));
    assert_eq!(links(&closed(7, 1)).unwrap(), (1, 7));
    let crowded = "closed = { concurrency = 10 }\nclient_threads = 4\nconnections = 5\nin_flight = 2";
    let words = "a thread has 1 of them, with room for 2 of its 3 calls in flight; 8 are enough";
    check(&[(crowded, "5:1", words)], "name = \"x\"\n[load]\n", REST);
}

#[test]
fn stages_that_cannot_be_are_refused() {
    let thousands = format!("stages = [{}]", "{ rate_per_s = 5, for = \"1s\" }, ".repeat(5_000));
    check(
        &[
            ("stages = []", "3:1", "a list of 1 to 100 items"),
            (&thousands, "3:1", "a list of 1 to 100 items"),
            ("stages = [5]", "3:11", "load.stages[0]: expected a table with rate_per_s"),
            ("stages = [{}]", "3:11", "the key `for` is missing"),
            ("stages = [{ for = \"1s\" }]", "3:11", "give one of rate_per_s, ramp_to_per_s, concurrency"),
            ("stages = [{ rate_per_s = 5 }]", "3:11", "the key `for` is missing"),
            ("stages = [{ rate_per_s = 0, for = \"1s\" }]", "3:13", "a number from 0.001 to 10000000"),
            ("stages = [{ rate_per_s = -1, for = \"1s\" }]", "3:13", "a number from 0.001"),
            ("stages = [{ rate_per_s = nan, for = \"1s\" }]", "3:13", "found `nan`"),
            ("stages = [{ rate_per_s = 1e12, for = \"1s\" }]", "3:13", "found `1e12`"),
            ("stages = [{ rate_per_s = 1, for = \"0s\" }]", "3:29", "at least 1ms"),
            ("stages = [{ rate_per_s = 1, for = 5 }]", "3:29", "a duration"),
            ("stages = [{ rate_per_s = 1, fro = \"5s\" }]", "3:29", "did you mean `for`?"),
            ("stages = [{ rate_per_s = 1, concurrency = 1, for = \"1s\" }]", "3:29", "exclude each other"),
            ("stages = [{ rate_per_s = 1, ramp_to_per_s = 2, for = \"1s\" }]", "3:29", "exclude each other"),
            ("stages = [{ rate_per_s = 1, ramp_from_per_s = 2, for = \"1s\" }]", "3:29", "only a ramp has"),
            ("stages = [{ ramp_to_per_s = 5, for = \"1s\" }]", "3:13", "give ramp_from_per_s, or begin with"),
            ("stages = [{ ramp_from_per_s = 5, ramp_to_per_s = 5, for = \"1s\" }]", "3:34", "goes nowhere"),
            (
                "stages = [{ rate_per_s = 5, for = \"1s\" }, { ramp_to_per_s = 5.0, for = \"1s\" }]",
                "3:45",
                "the ramp starts from 5/s and goes nowhere",
            ),
            (
                "stages = [{ rate_per_s = 5, for = \"1s\" }, { concurrency = 5, for = \"1s\" }]",
                "3:43",
                "rates and concurrencies in one load",
            ),
            (
                "stages = [{ rate_per_s = 1, for = \"600h\" }, { rate_per_s = 1, for = \"600h\" }]",
                "3:1",
                "30 days",
            ),
            ("duration = \"1s\"\nstages = [{ rate_per_s = 1, for = \"1s\" }]", "3:1", "say how long"),
            ("calls = 5\nstages = [{ rate_per_s = 1, for = \"1s\" }]", "3:1", "say how long"),
            (
                "open = { rate_per_s = 5 }\nstages = [{ rate_per_s = 1, for = \"1s\" }]",
                "3:10",
                "say how much load",
            ),
            ("closed = {}\nstages = [{ rate_per_s = 1, for = \"1s\" }]", "3:1", "a closed load has no rates"),
            (
                "open = {}\nstages = [{ concurrency = 1, for = \"1s\" }]",
                "3:1",
                "an open load has no concurrency",
            ),
            ("think_time = \"1s\"\nstages = [{ rate_per_s = 1, for = \"1s\" }]", "3:1", "no think time"),
            (
                "client_threads = 9\nstages = [{ concurrency = 8, for = \"1s\" }]",
                "3:1",
                "needs a call to keep in flight",
            ),
        ],
        "name = \"x\"\n[load]\n",
        REST,
    );
    let stages = "\n[load]\nstages = [{ rate_per_s = 1, for = \"1s\" }]";
    check(
        &[
            (
                &format!("[sweep]\nrate_per_s = [5]{stages}"),
                "3:1",
                "[load] stages say how much load there is",
            ),
            (
                &format!("[sweep]\nconcurrency = [5]{stages}"),
                "3:1",
                "[load] stages say how much load there is",
            ),
            (
                &format!("[mix]\nsequence = [{{ method = \"m\", calls = 1 }}]{stages}"),
                "5:1",
                "one call in flight",
            ),
        ],
        "name = \"x\"\n",
        REST,
    );
}

#[test]
fn the_command_line_replaces_stages_or_is_refused() {
    let text = format!("name = \"x\"\n{REST}[load]\nstages = [{{ rate_per_s = 5, for = \"7s\" }}]\n");
    let overridden = |overrides: &Overrides| {
        let mut scenario = parse(&text);
        scenario.override_with(overrides, &Fixed).map_err(|error| error.flag).map(|()| scenario.load)
    };
    let default = Overrides::default();
    let load = overridden(&Overrides { rate_per_s: Some(9.0), ..default }).unwrap();
    assert_eq!((load.stages.len(), load.length), (0, Amount::DurationNs(7_000_000_000)));
    assert!(overridden(&Overrides { concurrency: Some(2), ..default }).unwrap().stages.is_empty());
    assert_eq!(overridden(&Overrides { calls: Some(9), ..default }).unwrap_err(), "--calls");
    assert_eq!(overridden(&Overrides { duration_ns: Some(9), ..default }).unwrap_err(), "--duration");
}

#[test]
fn a_capacity_is_searched_over_an_open_load_without_a_rate() {
    let scenario = parse(&format!(
        "name = \"x\"\n{REST}[load]\nopen = {{}}\n[capacity]\nslo = \"p99.9 <= 5ms\"\nmax_per_s = 2000\n"
    ));
    let capacity = scenario.capacity.unwrap();
    assert_eq!((capacity.min_per_s, capacity.max_per_s, capacity.precision), (10.0, 2_000.0, 0.05));
    assert_eq!(scenario.load.model, LoadModel::Open { rate_per_s: 100.0, arrivals: Arrivals::Constant });
    // Ten calls beyond the quantile, and a fifth more: 12,000.
    let at = capacity.load_at(&scenario.load, 1_000.0);
    assert_eq!((at.length, at.rounds), (Amount::DurationNs(12_000_000_000), 1));
    assert_eq!(
        capacity.load_at(&scenario.load, 2_000.0).length,
        scenario.load.length,
        "long enough as it is"
    );
}

#[test]
fn capacities_that_cannot_be_are_refused() {
    let open = "[load]\nopen = {}\n";
    check(
        &[
            ("[capacity]\nslo = \"p99 <= 5ms\"", "2:2", "the search varies the rate of an open load"),
            (
                "[load]\nclosed = {}\n[capacity]\nslo = \"p99 <= 5ms\"",
                "4:2",
                "give [load] open = { arrivals = \"constant\" }",
            ),
            (&format!("{open}[capacity]"), "4:2", "the key `slo` is missing"),
            (&format!("{open}[capacity]\nslo = \"p98 <= 5ms\""), "5:1", "unknown metric \"p98\""),
            (&format!("{open}[capacity]\nslo = []"), "5:1", "a list of 1 to 256 items"),
            (&format!("{open}[capacity]\nslo = [\"p99 >= 5ms\"]"), "5:8", "an objective is an upper limit"),
            (&format!("{open}[capacity]\nslo = \"rate >= 5/s\""), "5:1", "the rate is what is searched"),
            (
                &format!("{open}[capacity]\nslo = \"lag p99 <= 5ms\""),
                "5:1",
                "the lag is the load generator's",
            ),
            (&format!("{open}[capacity]\nslo = \"p99 <= 5ms\"\nmin_per_s = 0"), "6:1", "a number from 0.001"),
            (&format!("{open}[capacity]\nslo = \"p99 <= 5ms\"\nmax_per_s = 1e12"), "6:1", "found `1e12`"),
            (
                &format!("{open}[capacity]\nslo = \"p99 <= 5ms\"\nprecision = 0"),
                "6:1",
                "a number from 0.01 to 1",
            ),
            (
                &format!("{open}[capacity]\nslo = \"p99 <= 5ms\"\nmin_per_s = 9\nmax_per_s = 5"),
                "6:1",
                "min_per_s is greater than max_per_s",
            ),
            (
                &format!("{open}[sweep]\nrate_per_s = [5]\n[capacity]\nslo = \"p99 <= 5ms\""),
                "5:1",
                "the search of [capacity] varies the rate",
            ),
            (
                "[load]\nstages = [{ rate_per_s = 5, for = \"1s\" }]\n[capacity]\nslo = \"p99 <= 5ms\"",
                "4:2",
                "[load] stages say the rates",
            ),
        ],
        "name = \"x\"\n",
        REST,
    );
}

#[test]
fn the_command_line_can_ask_for_a_capacity() {
    let searched = |load: &str, objective: &str| {
        let mut scenario = parse(&format!("name = \"x\"\n{REST}[load]\n{load}\n"));
        scenario
            .search_capacity(objective)
            .map(|()| scenario.capacity.unwrap())
            .map_err(|error| error.message)
    };
    let found = searched("open = { rate_per_s = 7 }", "p99 <= 5ms").unwrap();
    assert_eq!((found.slo[0].text.as_str(), found.precision), ("p99 <= 5ms", 0.05));
    for (load, objective, why) in [
        ("", "p99 <= 5ms", "this one is closed; add --rate"),
        ("open = { rate_per_s = 7 }", "fast", "there is no comparison"),
        ("stages = [{ rate_per_s = 7, for = \"1s\" }]", "p99 <= 5ms", "stages say the rates"),
    ] {
        assert!(searched(load, objective).unwrap_err().contains(why), "{load} {objective}");
    }
}

//! Every error has its place and says what is allowed.

use super::*;

/// What a scenario needs at least, so that a row holds only what it is about. Rows are put before it.
pub(super) const REST: &str = "[methods.m]\n[backends.b]\nprotocol = \"grpc\"\n";

fn error(text: &str) -> ScenarioError {
    match Scenario::parse("test.toml", text, &Fixed) {
        Ok(scenario) => panic!("accepted: {text}\n{scenario:?}"),
        Err(error) => error,
    }
}

/// Checks rows of (text, line:column, part of the message or the help).
pub(super) fn check(rows: &[(&str, &str, &str)], prefix: &str, suffix: &str) {
    let mut failures = String::new();
    for (text, place, fragment) in rows {
        let error = error(&format!("{prefix}{text}\n{suffix}"));
        let found =
            error.place.as_ref().map_or_else(String::new, |place| format!("{}:{}", place.line, place.column));
        let words = format!("{}\n{}", error.message, error.help.clone().unwrap_or_default());
        if found != *place || !words.contains(fragment) {
            failures.push_str(&format!("--- wanted {place} {fragment:?}, got {found}\n{error}\n"));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn the_file_itself() {
    check(
        &[
            ("", "1:1", "the scenario is empty"),
            ("# only a comment", "1:1", "the scenario is empty"),
            ("name = ", "1:8", "not TOML"),
            ("name = \"a\"\nname = \"b\"", "2:1", "duplicate key"),
            ("[load]\n[load]", "2:2", "duplicate key"),
            ("description = \"x\"", "1:1", "the key `name` is missing"),
            ("name = \"x\"", "1:1", "the key `methods` is missing"),
            ("name = \"x\"\n[methods.m]", "1:1", "the key `backends` is missing"),
            ("name = \"x\"\n[methods]\n[backends.b]\nprotocol = \"grpc\"", "2:2", "1 to 256 names, found 0"),
            ("name = \"x\"\n[methods.m]\n[backends]", "3:2", "1 to 64 names, found 0"),
            (
                "name = 5\n[methods.m]\n[backends.b]",
                "1:1",
                "name: expected a text of 1 to 200 characters, found `5`",
            ),
            ("name = \"\"\n[methods.m]\n[backends.b]", "1:1", "1 to 200 characters"),
            ("name = \"a\\u001b\"\n[methods.m]\n[backends.b]", "1:1", "no control characters"),
            ("nmae = \"x\"", "1:1", "did you mean `name`?"),
            ("sped = 5", "1:1", "allowed: name, description, seed, methods"),
            ("\"\\u001b[2J\" = 5", "1:1", "\\u{1b}[2J: unknown key"),
        ],
        "",
        "",
    );
    check(
        &[
            ("seed = -1", "2:1", "seed: expected a whole number from 0, found `-1`"),
            ("seed = 99999999999999999999", "2:1", "expected a whole number"),
            ("seed = 1.5", "2:1", "found `1.5`"),
            ("load = 5", "2:1", "load: expected a table with closed"),
        ],
        "name = \"x\"\n",
        REST,
    );
}

#[test]
fn methods_and_types() {
    check(
        &[
            ("m.returns = \"txt\"", "3:3", "did you mean \"text\"?"),
            ("m.returns = \"number\"", "3:3", "did you mean \"float\"? allowed: nil, bool, int"),
            ("m.returns = \"list\"", "3:3", "a list needs the type of its items"),
            ("m.returns = \"struct\"", "3:3", "a struct needs its fields"),
            ("m.returns = 5", "3:3", "expected \"nil\" or \"bool\""),
            ("m.returns = {}", "3:3", "expected exactly one key, found 0"),
            ("m.returns = { int = {}, text = {} }", "3:3", "expected exactly one key, found 2"),
            ("m.returns = { txt = {} }", "3:15", "did you mean `text`?"),
            ("m.returns = { text = \"a\" }", "3:15", "expected a table with value, length"),
            ("m.returns = { text = { lenght = 5 } }", "3:24", "did you mean `length`?"),
            (
                "m.returns = { text = { length = -1 } }",
                "3:24",
                "a whole number from 0 to 16777216, or a table",
            ),
            ("m.returns = { text = { length = { min = 5, max = 4 } } }", "3:35", "min is greater than max"),
            ("m.returns = { text = { length = { min = 5 } } }", "3:24", "the key `max` is missing"),
            ("m.returns = { text = { value = 5 } }", "3:24", "expected a text, found `5`"),
            ("m.returns = { text = { value = \"a\", length = 1 } }", "3:37", "exclude each other"),
            ("m.returns = { int = { value = \"5\" } }", "3:23", "expected a whole number of 64 bits"),
            ("m.returns = { int = { min = 5, max = 4 } }", "3:23", "min is greater than max"),
            ("m.returns = { float = { min = nan } }", "3:25", "expected a finite number, found `nan`"),
            ("m.returns = { float = { max = inf } }", "3:25", "expected a finite number"),
            ("m.returns = { float = { min = 1.0, max = 0.5 } }", "3:25", "min is greater than max"),
            ("m.returns = { bool = { value = 1 } }", "3:24", "expected true or false"),
            ("m.returns = { bytes = { value = \"?\" } }", "3:25", "base64"),
            ("m.returns = { time = { value = \"now\" } }", "3:24", "a time in UTC with whole seconds"),
            ("m.returns = { time = { value = 2023-11-14T22:13:20 } }", "3:24", "a time in UTC"),
            ("m.returns = { nil = { value = 1 } }", "3:23", "allowed: nothing"),
            ("m.returns = { list = {} }", "3:15", "the key `of` is missing"),
            (
                "m.returns = { list = { of = \"int\", value = [1, \"2\"] } }",
                "3:48",
                "a value of type int, found string",
            ),
            ("m.returns = { struct = {} }", "3:15", "1 to 256 names"),
            ("m.returns = { struct = { \"\" = \"int\" } }", "3:26", "a name has 1 to 100 characters"),
            ("m.returns = { struct = { a = { b = 1 } } }", "3:32", "unknown key"),
            ("m.returns = { echo = \"a\" }", "3:15", "the method has no parameter `a`"),
            ("m.params = { a = \"int\" }\nm.returns = { echo = \"b\" }", "4:15", "allowed: a"),
            ("m.params = { \"a b\" = \"int\" }", "3:14", "without spaces"),
            ("m.params = [\"int\"]", "3:3", "found a list"),
            (
                "m.params = { a = { list = { of = { bytes = { length = 16777216 } }, length = 1000000 } } }",
                "3:3",
                "at most 32 MiB",
            ),
            ("m.stream = { items = 0 }", "3:14", "a whole number from 1"),
            ("m.stream = {}", "3:3", "the key `items` is missing"),
            ("m.fail = { rate = 1.5 }", "3:12", "a number from 0 to 1, found `1.5`"),
            ("m.fail = { rate = -0.1 }", "3:12", "a number from 0 to 1"),
            ("m.fail = { rate = nan }", "3:12", "a number from 0 to 1"),
            ("\"m n\".returns = \"nil\"", "3:1", "a name has 1 to 100 characters"),
            ("\"1m\".returns = \"nil\"", "3:1", "not the name of a method"),
            ("m.retruns = \"nil\"", "3:3", "did you mean `returns`?"),
        ],
        "name = \"x\"\n[methods]\n",
        "[backends.b]\nprotocol = \"grpc\"\n",
    );
}

#[test]
fn service_times() {
    check(
        &[
            ("service_time = \"1ms\"", "3:1", "expected a table with fixed, uniform"),
            ("service_time = {}", "3:1", "says no time"),
            ("service_time = { how = \"busy\" }", "3:1", "give one of fixed, uniform"),
            ("service_time = { fixed = \"1ms\", exponential = \"1ms\" }", "3:33", "exclude each other"),
            ("service_time = { fixed = 5 }", "3:18", "a duration with its unit"),
            ("service_time = { fixed = \"5\" }", "3:18", "the unit is missing"),
            ("service_time = { fixed = \"-5ms\" }", "3:18", "expected a number with a unit"),
            ("service_time = { fixed = \"9999999h\" }", "3:18", "longer than 30 days"),
            ("service_time = { uniform = [\"2ms\", \"1ms\"] }", "3:18", "min is greater than max"),
            ("service_time = { uniform = [\"2ms\"] }", "3:18", "a list of 2 items"),
            ("service_time = { uniform = { min = \"1ms\" } }", "3:18", "the key `max` is missing"),
            (
                "service_time = { bimodal = { fast = \"1ms\", slow = \"5ms\" } }",
                "3:18",
                "`slow_share` is missing",
            ),
            (
                "service_time = { bimodal = { fast = \"1ms\", slow = \"5ms\", slow_share = 2 } }",
                "3:58",
                "a number from 0 to 1",
            ),
            ("service_time = { stall = { every = \"1s\", for = \"1s\" } }", "3:42", "must be shorter"),
            (
                "service_time = { fixed = \"1ms\", how = \"wait\" }",
                "3:33",
                "\"sleep\" or \"busy\" or \"serial\"",
            ),
        ],
        "name = \"x\"\n[methods.m]\n",
        "[backends.b]\nprotocol = \"grpc\"\n",
    );
}

#[test]
fn mixes() {
    check(
        &[
            ("[mix]", "2:2", "expected exactly one key, found 0"),
            ("[mix]\nsequence = [{ method = \"m\", calls = 1 }]\nweights = { m = 1 }", "2:2", "found 2"),
            ("[mix]\nsequence = []", "3:1", "1 to 256 items"),
            ("[mix]\nsequence = [{ method = \"n\", calls = 1 }]", "3:15", "there is no method `n`"),
            ("[mix]\nsequence = [{ method = \"m\" }]", "3:13", "the key `calls` is missing"),
            ("[mix]\nsequence = [{ method = \"m\", calls = 0 }]", "3:29", "a whole number from 1"),
            ("[mix]\nweights = { get = 1 }", "3:13", "methods: m"),
            ("[mix]\nweights = { m = 0 }", "3:1", "all weights are 0"),
            ("[mix]\nweights = { m = -1 }", "3:13", "a whole number from 0 to 1000000"),
            ("[mix]\nweights = { m = 0.5 }", "3:13", "found `0.5`"),
            ("[mix]\nweights = {}", "3:1", "1 to 256 names, found 0"),
        ],
        "name = \"x\"\n",
        REST,
    );
}

#[test]
fn sequences_are_closed_one_in_flight_and_set_their_calls() {
    check(
        &[
            ("[load]\nopen = { rate_per_s = 5 }", "5:1", "a sequence is closed"),
            ("[load]\nclosed = { concurrency = 2 }", "5:1", "one call in flight"),
            ("[load]\ncalls = 5", "5:1", "sets the number of calls itself"),
            ("[load]\nduration = \"5s\"", "5:1", "sets the number of calls itself"),
            ("[sweep]\nconcurrency = [1]", "5:1", "one call in flight"),
        ],
        "name = \"x\"\n[mix]\nsequence = [{ method = \"m\", calls = 1 }]\n",
        REST,
    );
}

#[test]
fn loads() {
    check(
        &[
            ("closed = { concurrency = 0 }", "3:12", "a whole number from 1 to 65536, found `0`"),
            ("closed = { concurrency = -1 }", "3:12", "load.closed.concurrency"),
            ("closed = { concurency = 1 }", "3:12", "did you mean `concurrency`?"),
            ("closed = { concurrency = 99999999999 }", "3:12", "found `99999999999`"),
            ("closed = {}\nopen = { rate_per_s = 1 }", "4:1", "exclude each other"),
            ("open = {}", "3:1", "the key `rate_per_s` is missing"),
            ("open = { rate_per_s = 0 }", "3:10", "a number from 0.001 to 10000000"),
            ("open = { rate_per_s = -5.0 }", "3:10", "a number from 0.001"),
            ("open = { rate_per_s = nan }", "3:10", "found `nan`"),
            ("open = { rate_per_s = inf }", "3:10", "found `inf`"),
            ("open = { rate_per_s = 1e300 }", "3:10", "found `1e300`"),
            ("open = { rate_per_s = 1, arrivals = \"poison\" }", "3:26", "did you mean \"poisson\"?"),
            ("calls = 5\nduration = \"1s\"", "4:1", "`calls` and `duration` exclude each other"),
            ("calls = 0", "3:1", "a whole number from 1"),
            ("duration = \"0s\"", "3:1", "at least 1ms"),
            ("duration = \"10\"", "3:1", "the unit is missing"),
            ("duration = 10", "3:1", "found `10`"),
            ("warmup = 5", "3:1", "or a table with calls"),
            ("warmup = { calls = -1 }", "3:12", "a whole number from 0"),
            ("rounds = 0", "3:1", "a whole number from 1 to 1000"),
            ("placement = \"spilt\"", "3:1", "did you mean \"split\"?"),
            ("placement = \"x\"", "3:1", "\"split\" or \"shared\" or \"free\""),
            ("idle = true", "3:1", "\"park\" or \"spin\""),
            ("connection_mode = \"percall\"", "3:1", "did you mean \"per-call\"?"),
            ("timeout = \"0s\"", "3:1", "at least 1us"),
            ("write_batch = 0", "3:1", "a whole number from 1"),
            ("client_threads = 2", "3:1", "each thread needs a call to keep in flight"),
            ("closed.concurrency = 8\nconnections = 2\nin_flight = 3", "4:1", "2 × 3 < 8 (back end b)"),
            ("connection_mode = \"per-call\"\nin_flight = 2", "4:1", "each connection carries one call"),
            ("in_flight = 2000", "3:1", "at most 1000 calls in flight"),
        ],
        "name = \"x\"\n[load]\n",
        REST,
    );
    check(
        &[
            ("in_flight = 2", "3:1", "(in_flight = 1)"),
            ("closed.concurrency = 8\nconnections = 4", "4:1", "4 × 1 < 8 (back end b)"),
        ],
        "name = \"x\"\n[load]\n",
        "[methods.m]\n[backends.b]\nprotocol = \"xmlrpc\"\n",
    );
}

#[test]
fn sweeps() {
    check(
        &[
            ("concurrency = []", "3:1", "1 to 256 items, each a whole number"),
            ("concurrency = 5", "3:1", "expected a list of 1 to 256"),
            ("concurrency = [1, 0]", "3:19", "sweep.concurrency[1]"),
            ("concurrency = [1, 1]", "3:19", "in the list twice"),
            ("rate_per_s = [5]", "3:1", "a closed load has no rate"),
            ("placement = [\"split\", \"shred\"]", "3:23", "did you mean \"shared\"?"),
            ("payload = [5]", "3:1", "there is nothing to size"),
            ("rounds = [1]", "3:1", "allowed: concurrency"),
            (
                "connections = [1, 2]\n[load]\nclosed.concurrency = 8\nin_flight = 4",
                "3:1",
                "at connections=1",
            ),
        ],
        "name = \"x\"\n[sweep]\n",
        REST,
    );
    check(
        &[("concurrency = [5]\n[load]\nopen = { rate_per_s = 1 }", "3:1", "an open load has no concurrency")],
        "name = \"x\"\n[sweep]\n",
        REST,
    );
    let many: Vec<String> = (1..=256).map(|number| number.to_string()).collect();
    let many = many.join(", ");
    let large = format!("concurrency = [{many}]\nconnections = [{many}]");
    check(&[(&large, "2:2", "65536 cells")], "name = \"x\"\n[sweep]\n", REST);
    check(
        &[("payload = [1, 16777216]", "3:15", "at most 32 MiB")],
        "name = \"x\"\n[sweep]\n",
        "[methods.m]\nparams = { a = { list = { of = { text = { length = 1 } }, length = 3 } } }\n\
         [backends.b]\nprotocol = \"grpc\"\n",
    );
}

#[test]
fn gates() {
    check(
        &[
            ("slo = \"p99 <= 5ms\"", "3:1", "expected a list"),
            ("slo = [5]", "3:8", "gates.slo[0]"),
            ("slo = [\"p99 <= 5ms\", \"p98 <= 5ms\"]", "3:22", "unknown metric \"p98\""),
            ("slo = [\"p99 <= 5\"]", "3:8", "the unit is missing"),
            ("slo = [\"p99 = 5ms\"]", "3:8", "unknown comparison \"=\""),
            ("slo = [\"rate >= 5\"]", "3:8", "1000/s"),
            ("errors = -1", "3:1", "a whole number from 0"),
            ("errors = \"5\"", "3:1", "a share as \"1%\""),
            ("errors = \"500%\"", "3:1", "at most 100"),
            ("inconclusive = \"maybe\"", "3:1", "\"pass\" or \"fail\""),
            ("metric = []", "3:1", "did you mean `metrics`? allowed: slo, errors, inconclusive"),
            ("metrics = []", "3:1", "a list of 1 to 8 items"),
            ("metrics = [\"p98\"]", "3:12", "allowed: rate, cpu, and p50"),
            ("metrics = [\"cpu\", \"p999\"]", "3:19", "never gated"),
            ("metrics = [\"p50\", \"response p50\"]", "3:19", "in the list twice"),
            ("metrics = [\"capacity\"]", "3:12", "add [capacity] with slo = \"p99 <= 5ms\""),
            ("limit = 0.1", "3:1", "expected a text"),
            ("limit = \"0.1\"", "3:1", "as \"10%\""),
            ("limit = \"101%\"", "3:1", "at most 100"),
            ("limit = \"2%\"", "3:1", "must be above the noise margin"),
            ("noise_margin = \"12%\"", "3:1", "must be above the noise margin"),
            ("alpha = 0.6", "3:1", "a number from 0.0001 to 0.5"),
            ("rounds = 0", "3:1", "a whole number from 1 to 500"),
            ("budget = \"10ms\"", "3:1", "at least 1s"),
            ("round = \"1ms\"", "3:1", "at least 50ms"),
            ("floor = { tine = \"1us\" }", "3:11", "did you mean `time`?"),
            ("bytes = \"exact\"", "3:1", "\"same-codec\" or \"gate\" or \"show\""),
        ],
        "name = \"x\"\n[gates]\n",
        REST,
    );
    let searched = format!("[load]\nopen = {{ rate_per_s = 5 }}\n[capacity]\nslo = \"p99 <= 5ms\"\n{REST}");
    check(
        &[
            ("metrics = [\"capacity\", \"cpu\"]", "3:12", "capacity is gated alone"),
            ("metrics = [\"rate\", \"capacity\"]", "3:20", "the others in a second scenario"),
        ],
        "name = \"x\"\n[gates]\n",
        &searched,
    );
}

#[test]
fn back_ends() {
    check(
        &[
            ("", "3:11", "which protocol?"),
            ("protocol = \"grcp\"", "4:1", "did you mean \"grpc\"?"),
            ("protocol = \"soap\"", "4:1", "allowed: xmlrpc, zerorpc, grpc, grpc-tonic, binary-tcp, null"),
            ("protocol = \"grpc\"\ncodec = \"json\"", "5:1", "exclude each other"),
            ("codec = \"json\"", "4:1", "transports: http1, http2, zmq, tcp"),
            ("transport = \"tcp\"", "4:1", "codecs: xml"),
            ("codec = \"jsn\"\ntransport = \"tcp\"", "4:1", "did you mean \"json\"?"),
            ("codec = \"json\"\ntransport = \"udp\"", "5:1", "unknown transport `udp`"),
            ("url = \"grpc+http://host\"", "4:1", "the port is missing"),
            ("url = \"http://host:80\"", "4:1", "allowed: xmlrpc+http://"),
            ("url = \"grpc+http://h:80\"\nprotocol = \"zerorpc\"", "5:1", "the url says grpc"),
            ("url = \"grpc+http://h:80\"\ncommand = [\"x\"]", "5:1", "exclude each other"),
            ("url = \"grpc+http://h:80\"\nhosting = \"in-process\"", "5:1", "is external"),
            ("protocol = \"grpc\"\nproto = \"a.proto\"", "5:1", "a server of your own"),
            ("url = \"grpc+http://h:80\"\nproto_include = [\"a\"]", "5:1", "no `proto`"),
            ("url = \"grpc+http://h:80\"\nmetadata = { a = 1 }", "5:14", "expected a text"),
            ("url = \"grpc+unix://h:80\"", "4:1", "absolute path of a socket"),
            ("url = \"grpc+http://h:80\"\nlisten = \"unix\"", "5:1", "exclude each other"),
            ("protocol = \"grpc\"\ncommand = [\"x\"]\nlisten = \"unix\"", "6:1", "told a host and a port"),
            ("protocol = \"grpc\"\nhosting = \"external\"", "5:1", "needs its `url`"),
            ("protocol = \"grpc\"\nhosting = \"subproces\"", "5:1", "did you mean \"subprocess\"?"),
            ("protocol = \"grpc\"\nhosting = \"in-process\"\ncommand = [\"x\"]", "5:1", "process of its own"),
            ("protocol = \"grpc\"\ncommand = \"python\"", "5:1", "expected a list"),
            ("protocol = \"grpc\"\ncommand = []", "5:1", "1 to 256 items"),
            ("protocol = \"grpc\"\ncommand = [\"\"]", "5:1", "the program's name is empty"),
            ("protocol = \"grpc\"\ncommand = [\"x\", \"{prot}\"]", "5:17", "did you mean {port}?"),
            ("protocol = \"grpc\"\noptional = \"yes\"", "5:1", "true or false"),
            (
                "protocol = \"grpc\"\n[backends.\"a,b\"]\nprotocol = \"grpc\"",
                "5:11",
                "not the name of a back end",
            ),
        ],
        "name = \"x\"\n[methods.m]\n[backends.b]\n",
        "",
    );
}

#[test]
fn bytes_that_are_not_text_have_their_place() {
    let error = Scenario::parse_bytes("test.toml", b"name = \"x\"\nseed = \xff\xfe\n", &Fixed).unwrap_err();
    let place = error.place.clone().unwrap();
    assert_eq!((place.line, place.column), (2, 8));
    assert_eq!(error.message, "the file is not UTF-8 text: byte 19 is wrong");
}

#[test]
fn a_file_beyond_one_mebibyte_is_refused() {
    let text = " ".repeat((1 << 20) + 1);
    assert!(error(&text).message.contains("at most 1048576 (1 MiB)"));
    assert!(Scenario::parse_bytes("x", text.as_bytes(), &Fixed).is_err());
}

#[test]
fn nesting_without_end_is_an_error_and_no_crash() {
    for (open, close) in [("[", "]"), ("{ a = ", " }"), ("{ list = { of = ", " } }")] {
        let text = format!("name = {}1{}", open.repeat(20_000), close.repeat(20_000));
        error(&text);
    }
}

#[test]
fn errors_are_rendered_with_the_line_and_a_caret() {
    let rest = "[methods.m]\n[backends.b]\nprotocol = \"grpc\"\n";
    let unknown_key = error(&format!("name = \"x\"\n\n[load]\nclosed = {{ concurency = 8 }}\n{rest}"));
    insta::assert_snapshot!("unknown_key", unknown_key);
    let wrong_value = error(&format!("name = \"größe\"\n[load]\nrounds = 0 # none\n{rest}"));
    insta::assert_snapshot!("wrong_value", wrong_value);
    let gate =
        error(&format!("name = \"x\"\n[gates]\nslo = [\n  \"p99 <= 5ms\",\n  \"p99 <= 5\",\n]\n{rest}"));
    insta::assert_snapshot!("gate", gate);
    let links = error(
        "name = \"x\"\n[methods.m]\n[load]\nclosed = { concurrency = 8 }\nconnections = 4\n\
         [backends.b]\nprotocol = \"xmlrpc\"\n",
    );
    insta::assert_snapshot!("links", links);
    insta::assert_snapshot!("syntax", error("name = \"x\nseed = 1\n"));
    insta::assert_snapshot!("empty", error(""));
    let missing = error("name = \"x\"\n[backends.b]\nprotocol = \"grpc\"\n");
    insta::assert_snapshot!("missing", missing);
    let bytes = Scenario::parse_bytes("test.toml", b"name = \"x\xff\"\n", &Fixed).unwrap_err();
    insta::assert_snapshot!("not_utf8", bytes);
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let error = error("nmae = 1\n");
    assert!(!error.render(false).contains('\u{1b}'));
    assert!(error.render(true).contains('\u{1b}'));
    assert_eq!(error.to_string(), error.render(false));
}

#[test]
fn the_error_of_a_large_file_is_short() {
    let long_line = format!("name = \"{}\"\n", "x".repeat(900_000));
    let many_lines = format!("{}nmae = 1\n", "# comment\n".repeat(90_000));
    let many_keys: String = (0..50_000).map(|number| format!("k{number} = 1\n")).collect();
    let inline = format!("name = \"x\"\nload = {{ {} }}\n", "calls = 1, calls = 2, ".repeat(40_000));
    for text in [long_line, many_lines, many_keys, inline] {
        let rendered = error(&text).render(true);
        assert!(rendered.len() < 4_000, "{} bytes", rendered.len());
    }
}

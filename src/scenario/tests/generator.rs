//! The same seed gives the same calls, always and everywhere.

use proptest::prelude::*;

use super::*;
use crate::rpc::{Answer, Value};

const EVERY_TYPE: &str = r#"
name = "every type"
seed = 7

[methods.all]
params = { nil = "nil", bool = "bool", int = { int = { min = -5, max = 5 } }, float = "float",
           text = { text = { length = { min = 0, max = 30 } } }, bytes = { bytes = { length = 9 } },
           time = "time", list = { list = { of = { list = { of = "int", length = 2 } }, length = { min = 0, max = 3 } } },
           record = { struct = { b = "text", a = { float = { min = -1.0, max = 1.0 } } } } }
returns = { echo = "record" }

[methods.constant]
params = { a = { int = { value = 5 } }, b = { list = { of = "text", value = ["x", "y"] } } }
returns = { struct = { id = "int", at = "time", name = { text = { length = 8 } } } }

[methods.nothing]

[mix]
weights = { all = 90, constant = 9, nothing = 1 }

[backends.b]
protocol = "grpc"
"#;

/// Folds bytes into 64 bits (FNV-1a).
fn fold(digest: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(digest, |digest, byte| (digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

fn fold_value(digest: u64, value: &Value) -> u64 {
    let digest = fold(digest, value.type_name().as_bytes());
    match value {
        Value::Nil => digest,
        Value::Bool(value) => fold(digest, &[u8::from(*value)]),
        Value::Int(value) | Value::Time(value) => fold(digest, &value.to_le_bytes()),
        Value::Float(value) => fold(digest, &value.to_bits().to_le_bytes()),
        Value::Text(text) => fold(digest, text.as_bytes()),
        Value::Bytes(bytes) => fold(digest, bytes),
        Value::List(items) => items.iter().fold(digest, fold_value),
        Value::Struct(fields) => fields
            .iter()
            .fold(digest, |digest, (name, value)| fold_value(fold(digest, name.as_bytes()), value)),
    }
}

fn digest(generator: &Generator, methods: usize) -> (u64, u64) {
    let start = 0xCBF2_9CE4_8422_2325;
    let calls = (0..10_000).fold(start, |digest, index| {
        let call = generator.call(index);
        let digest = fold(digest, &(call.method as u64).to_le_bytes());
        fold(digest, &(call.variant as u64).to_le_bytes())
    });
    let mut payload = start;
    for method in 0..methods {
        for variant in 0..generator.variants(method) {
            payload = generator.arguments(method, variant).iter().fold(payload, fold_value);
            payload = fold_value(payload, generator.expected(method, variant));
        }
    }
    (calls, payload)
}

#[test]
fn calls_and_payload_of_a_seed_never_change() {
    let scenario = parse(EVERY_TYPE);
    let generator = Generator::new(&scenario.workload(None));
    // A change here means that results of older versions no longer compare: think twice.
    assert_eq!(digest(&generator, 3), (10_224_766_191_441_173_336, 12_823_535_972_919_056_463));
}

#[test]
fn a_workload_that_travelled_as_json_makes_the_same_calls() {
    let workload = parse(EVERY_TYPE).workload(Some(33));
    let travelled: Workload = serde_json::from_str(&serde_json::to_string(&workload).unwrap()).unwrap();
    assert_eq!(travelled, workload);
    assert_eq!(digest(&Generator::new(&travelled), 3), digest(&Generator::new(&workload), 3));
    assert_eq!(travelled.service(), workload.service());
}

#[test]
fn back_ends_and_load_change_no_call() {
    let other = EVERY_TYPE.replace(
        "[backends.b]\nprotocol = \"grpc\"",
        "[load]\nclosed = { concurrency = 9 }\n[backends.z]\nprotocol = \"zerorpc\"\n[backends.b]\nprotocol = \"xmlrpc\"",
    );
    let digests = [EVERY_TYPE, &other].map(|text| digest(&Generator::new(&parse(text).workload(None)), 3));
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn another_seed_makes_other_calls() {
    let mut workload = parse(EVERY_TYPE).workload(None);
    let first = digest(&Generator::new(&workload), 3);
    workload.seed += 1;
    let second = digest(&Generator::new(&workload), 3);
    assert!(first.0 != second.0 && first.1 != second.1);
}

#[test]
fn arguments_and_answers_are_of_the_declared_types() {
    let workload = parse(EVERY_TYPE).workload(None);
    let generator = Generator::new(&workload);
    let service = workload.service();
    for (position, method) in service.methods.iter().enumerate() {
        for variant in 0..generator.variants(position) {
            let arguments = generator.arguments(position, variant);
            assert_eq!(arguments.len(), method.method.params.len());
            for (field, value) in method.method.params.iter().zip(arguments) {
                field.ty.check(value).unwrap();
            }
            let expected = generator.expected(position, variant);
            method.method.returns.check(expected).unwrap();
            assert_eq!(method.answer.value(arguments).as_deref(), Some(expected));
        }
    }
}

#[test]
fn a_pool_has_256_argument_lists_or_one_where_all_are_alike() {
    let generator = Generator::new(&parse(EVERY_TYPE).workload(None));
    assert_eq!((0..4).map(|method| generator.variants(method)).collect::<Vec<_>>(), [256, 1, 1, 0]);
    assert_eq!(generator.arguments(1, 0)[0], Value::Int(5));
    assert_eq!(generator.arguments(9, 9), []);
    assert_eq!(generator.expected(9, 9), &Value::Nil);
}

#[test]
fn pools_of_large_payloads_stay_small_but_never_empty() {
    let text = "name = \"x\"\n[methods.a]\nparams = { blob = { bytes = { length = 1000000 } } }\n\
                [methods.b]\nparams = { blob = { bytes = { length = 16777216 } } }\n\
                [backends.b]\nprotocol = \"grpc\"\n";
    let generator = Generator::new(&parse(text).workload(None));
    assert_eq!(generator.variants(0), 9);
    assert_eq!(generator.variants(1), 1);
    let small = Generator::new(&parse(text).workload(Some(10)));
    assert_eq!((small.variants(0), small.variants(1)), (256, 256));
    assert_eq!(small.arguments(1, 3)[0].payload_bytes(), 10);
}

#[test]
fn a_sequence_goes_by_position_and_starts_again() {
    let scenario = parse(include_str!("../../../scenarios/seed.toml"));
    let generator = Generator::new(&scenario.workload(None));
    let methods =
        |indices: &[u64]| indices.iter().map(|index| generator.call(*index).method).collect::<Vec<_>>();
    assert_eq!(methods(&[0, 499, 500, 999, 1_000, 1_499, 1_500]), [0, 0, 1, 1, 0, 0, 1]);
    assert_eq!(generator.warmup_call(99).method, 0);
    assert_eq!(generator.arguments(1, 0), [Value::Text("lxx nb".into())]);
    assert_eq!(generator.expected(0, 0), &Value::Text("lqz nb".into()));
    assert_eq!(scenario.service().methods[0].answer, Answer::Value(Value::Text("lqz nb".into())));
}

#[test]
fn weights_are_kept_and_a_weight_of_zero_is_never_called() {
    let text = "name = \"x\"\n[methods.a]\n[methods.b]\n[methods.c]\n\
                [mix]\nweights = { a = 95, c = 5, b = 0 }\n[backends.b]\nprotocol = \"grpc\"\n";
    let generator = Generator::new(&parse(text).workload(None));
    let mut counts = [0_u32; 3];
    for index in 0..100_000 {
        counts[generator.call(index).method] += 1;
    }
    assert!((94_500..95_500).contains(&counts[0]), "{counts:?}");
    assert_eq!((counts[1], counts[0] + counts[2]), (0, 100_000));
}

#[test]
fn the_warm_up_draws_from_a_seed_of_its_own() {
    let generator = Generator::new(&parse(EVERY_TYPE).workload(None));
    let same = (0..1_000).filter(|index| generator.call(*index) == generator.warmup_call(*index)).count();
    assert!(same < 100, "{same}");
}

#[test]
fn a_new_method_changes_neither_arguments_nor_answers_of_the_others() {
    let more =
        EVERY_TYPE.replace("[methods.nothing]", "[methods.a_new_one]\nreturns = \"text\"\n[methods.nothing]");
    let (before, after) =
        (Generator::new(&parse(EVERY_TYPE).workload(None)), Generator::new(&parse(&more).workload(None)));
    for method in 0..2 {
        for variant in 0..before.variants(method) {
            assert_eq!(before.arguments(method, variant), after.arguments(method, variant));
            assert_eq!(before.expected(method, variant), after.expected(method, variant));
        }
    }
}

proptest! {
    #[test]
    fn any_split_over_threads_makes_the_same_calls(threads in 1_u64..8, calls in 1_u64..500, seed: u64) {
        let mut workload = parse(EVERY_TYPE).workload(None);
        workload.seed = seed;
        workload.methods.truncate(3);
        let whole = Generator::new(&workload);
        let mut expected: Vec<PlannedCall> = (0..calls).map(|index| whole.call(index)).collect();
        let mut dealt = Vec::new();
        for thread in 0..threads {
            let own = Generator::new(&workload);
            dealt.extend((thread..calls).step_by(threads as usize).map(|index| own.call(index)));
        }
        let key = |call: &PlannedCall| (call.method, call.variant);
        expected.sort_by_key(key);
        dealt.sort_by_key(key);
        prop_assert_eq!(expected, dealt);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = Scenario::parse("fuzz.toml", &text, &Fixed).map_err(|error| error.to_string());
    }

    #[test]
    fn no_damage_to_a_scenario_makes_the_reader_panic(at in 0_usize..2_000, byte: u8, cut in 0_usize..40) {
        let mut bytes = include_bytes!("../../../scenarios/quick.toml").to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let end = (at + cut).min(bytes.len());
        bytes.drain(at + 1..end.max(at + 1));
        let _ = Scenario::parse_bytes("fuzz.toml", &bytes, &Fixed).map_err(|error| error.render(true));
    }
}

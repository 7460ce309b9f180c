//! The service `validator1`: the eight methods of UserLand's XML-RPC validator, by which
//! implementations have shown for decades that they understand each other
//! (<http://1998.xmlrpc.com/validator1Docs.html>). Its answers are computed, so no scenario can
//! say them; `wirebench serve validator1` offers it.

use std::sync::Arc;

use super::{Answer, Compute, Field, Method, Service, ServiceMethod, Type, Value};

/// The service's name, and the prefix of its methods' names.
pub const NAME: &str = "validator1";

/// The service.
#[must_use]
pub fn service() -> Service {
    let texts = Type::List(Box::new(Type::Text));
    let open_list = Type::List(Box::new(Type::Any));
    let ints = |names: &[&str]| Type::Struct(names.iter().map(|name| Field::new(name, Type::Int)).collect());
    let many = [Type::Int, Type::Bool, Type::Text, Type::Float, Type::Time, Type::Bytes];
    let many_names = ["number", "boolean", "string", "double", "dateTime", "base64"];
    let many = many_names.iter().zip(many).map(|(name, ty)| Field::new(name, ty)).collect();
    let method = |name: &str, params, returns, compute| ServiceMethod {
        method: Method { name: format!("{NAME}.{name}").into(), params, returns },
        answer: Answer::Computed(Compute(compute)),
        stream_items: None,
        delay: None,
        fail_rate: 0.0,
    };
    let one = |name: &str, ty| vec![Field::new(name, ty)];
    let methods = vec![
        method("arrayOfStructsTest", one("array", open_list.clone()), Type::Int, array_of_structs),
        method("countTheEntities", one("text", Type::Text), ints(&COUNTS.map(|(name, _)| name)), count),
        method("easyStructTest", one("stooges", Type::Any), Type::Int, easy_struct),
        method("echoStructTest", one("struct", Type::Any), Type::Any, echo_struct),
        method("manyTypesTest", many, open_list, many_types),
        method("moderateSizeArrayCheck", one("array", texts), Type::Text, moderate_size_array),
        method("nestedStructTest", one("calendar", Type::Any), Type::Int, nested_struct),
        method("simpleStructReturnTest", one("number", Type::Int), ints(&TIMES.map(|(name, _)| name)), times),
    ];
    Service { name: NAME.into(), methods, seed: 0 }
}

/// What `countTheEntities` counts.
const COUNTS: [(&str, char); 5] = [
    ("ctLeftAngleBrackets", '<'),
    ("ctRightAngleBrackets", '>'),
    ("ctAmpersands", '&'),
    ("ctApostrophes", '\''),
    ("ctQuotes", '"'),
];

/// What `simpleStructReturnTest` multiplies by.
const TIMES: [(&str, i64); 3] = [("times10", 10), ("times100", 100), ("times1000", 1000)];

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Struct(fields) = value else { return None };
    fields.iter().find(|(found, _)| **found == *name).map(|(_, value)| value)
}

fn int(value: &Value, name: &str) -> Option<i64> {
    if let Value::Int(int) = field(value, name)? { Some(*int) } else { None }
}

/// The sum of the three stooges.
fn stooges(value: &Value) -> Option<i64> {
    int(value, "moe")?.checked_add(int(value, "larry")?)?.checked_add(int(value, "curly")?)
}

fn array_of_structs(arguments: &[Value]) -> Option<Value> {
    let Value::List(structs) = arguments.first()? else { return None };
    let mut curlies = structs.iter().map(|value| int(value, "curly"));
    curlies.try_fold(0_i64, |sum, curly| sum.checked_add(curly?)).map(Value::Int)
}

fn count(arguments: &[Value]) -> Option<Value> {
    let Value::Text(text) = arguments.first()? else { return None };
    let count = |wanted| text.chars().filter(|character| *character == wanted).count();
    let counted = COUNTS.map(|(name, wanted)| Some((Arc::from(name), i64::try_from(count(wanted)).ok()?)));
    let fields = counted.into_iter().map(|field| field.map(|(name, count)| (name, Value::Int(count))));
    fields.collect::<Option<_>>().map(Value::Struct)
}

fn easy_struct(arguments: &[Value]) -> Option<Value> {
    stooges(arguments.first()?).map(Value::Int)
}

fn echo_struct(arguments: &[Value]) -> Option<Value> {
    arguments.first().filter(|value| matches!(value, Value::Struct(_))).cloned()
}

fn many_types(arguments: &[Value]) -> Option<Value> {
    Some(Value::List(arguments.to_vec()))
}

fn moderate_size_array(arguments: &[Value]) -> Option<Value> {
    let Value::List(texts) = arguments.first()? else { return None };
    match (texts.first()?, texts.last()?) {
        (Value::Text(first), Value::Text(last)) => Some(Value::Text(format!("{first}{last}"))),
        _ => None,
    }
}

/// The stooges of 1 April 2000.
fn nested_struct(arguments: &[Value]) -> Option<Value> {
    let day = field(field(field(arguments.first()?, "2000")?, "04")?, "01")?;
    stooges(day).map(Value::Int)
}

fn times(arguments: &[Value]) -> Option<Value> {
    let Value::Int(number) = arguments.first()? else { return None };
    let times = TIMES.map(|(name, times)| Some((Arc::from(name), Value::Int(number.checked_mul(times)?))));
    times.into_iter().collect::<Option<_>>().map(Value::Struct)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(method: &str, arguments: &[Value]) -> Option<Value> {
        let service = service();
        let method = &service.methods[service.position(&format!("{NAME}.{method}")).unwrap()];
        let answer = method.answer.value(arguments)?.into_owned();
        method.method.returns.check(&answer).unwrap();
        Some(answer)
    }

    fn record(fields: &[(&str, Value)]) -> Value {
        Value::Struct(fields.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect())
    }

    fn of_stooges(moe: i64, larry: i64, curly: i64) -> Value {
        record(&[("moe", Value::Int(moe)), ("larry", Value::Int(larry)), ("curly", Value::Int(curly))])
    }

    #[test]
    fn the_answers_are_those_of_the_suite() {
        let stooges = of_stooges(1, -2, 30);
        assert_eq!(answer("easyStructTest", std::slice::from_ref(&stooges)), Some(Value::Int(29)));
        let two = Value::List(vec![stooges.clone(), of_stooges(0, 0, 12)]);
        assert_eq!(answer("arrayOfStructsTest", &[two]), Some(Value::Int(42)));
        let counts = answer("countTheEntities", &[Value::Text("<<>&&&''\"x".into())]);
        let names = COUNTS.map(|(name, _)| name);
        let expected: Vec<_> = names.into_iter().zip([2, 1, 3, 2, 1].map(Value::Int)).collect();
        assert_eq!(counts, Some(record(&expected)));
        assert_eq!(answer("echoStructTest", std::slice::from_ref(&stooges)), Some(stooges.clone()));
        let texts = Value::List(["a", "b", "c"].map(|text| Value::Text(text.into())).to_vec());
        assert_eq!(answer("moderateSizeArrayCheck", &[texts]), Some(Value::Text("ac".into())));
        let calendar = record(&[("2000", record(&[("04", record(&[("01", stooges)]))]))]);
        assert_eq!(answer("nestedStructTest", &[calendar]), Some(Value::Int(29)));
        let times = [("times10", 70), ("times100", 700), ("times1000", 7000)];
        let times: Vec<_> = times.map(|(name, int)| (name, Value::Int(int))).to_vec();
        assert_eq!(answer("simpleStructReturnTest", &[Value::Int(7)]), Some(record(&times)));
        let many = [Value::Int(1), Value::Bool(true), Value::Text("x".into())];
        assert_eq!(answer("manyTypesTest", &many), Some(Value::List(many.to_vec())));
    }

    #[test]
    fn odd_arguments_have_no_answer() {
        assert_eq!(answer("easyStructTest", &[Value::Nil]), None);
        assert_eq!(answer("echoStructTest", &[Value::Int(1)]), None);
        assert_eq!(answer("arrayOfStructsTest", &[Value::List(vec![record(&[])])]), None);
        assert_eq!(answer("moderateSizeArrayCheck", &[Value::List(vec![])]), None);
        assert_eq!(answer("simpleStructReturnTest", &[Value::Int(i64::MAX)]), None);
        assert_eq!(answer("nestedStructTest", &[of_stooges(1, 2, 3)]), None);
    }
}

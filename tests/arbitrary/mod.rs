//! Random types, and random values of a type, for property tests.

// Each test file uses a part.
#![allow(dead_code)]

use std::collections::HashSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use wirebench::codec::Shape;
use wirebench::rpc::{Field, Type, Value};

/// How far random values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// What every codec carries: 32-bit integers, finite floats, printable text, usual dates.
    Tame,
    /// Everything that a value can be.
    Wild,
}

/// A type whose names come from `name`.
pub fn a_type(name: &'static str) -> BoxedStrategy<Type> {
    let leaf = prop_oneof![
        Just(Type::Nil),
        Just(Type::Bool),
        Just(Type::Int),
        Just(Type::Float),
        Just(Type::Text),
        Just(Type::Bytes),
        Just(Type::Time),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|item| Type::List(Box::new(item))),
            fields(name, inner).prop_map(Type::Struct),
        ]
    })
    .boxed()
}

/// Parameters or a result.
pub fn a_shape(name: &'static str) -> BoxedStrategy<Shape> {
    prop_oneof![
        a_type(name).prop_map(Shape::Result),
        fields(name, a_type(name).boxed()).prop_map(Shape::Params),
    ]
    .boxed()
}

fn fields(name: &'static str, ty: BoxedStrategy<Type>) -> impl Strategy<Value = Vec<Field>> {
    vec((name, ty), 0..4).prop_map(|fields| {
        let mut names = HashSet::new();
        let fresh = |(name, ty): (String, Type)| {
            // Names that differ in case or underscores only are one name in protobuf's JSON.
            let key = name.replace('_', "").to_lowercase();
            names.insert(key).then(|| Field::new(&name, ty))
        };
        fields.into_iter().filter_map(fresh).collect()
    })
}

/// Values of a shape.
pub fn values_of(shape: &Shape, range: Range) -> BoxedStrategy<Vec<Value>> {
    match shape {
        Shape::Result(ty) => a_value(ty, range).prop_map(|value| vec![value]).boxed(),
        Shape::Params(fields) => {
            fields.iter().map(|field| a_value(&field.ty, range)).collect::<Vec<_>>().boxed()
        }
    }
}

/// A value of a type.
pub fn a_value(ty: &Type, range: Range) -> BoxedStrategy<Value> {
    let tame = range == Range::Tame;
    match ty {
        Type::Nil | Type::Any => Just(Value::Nil).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int if tame => any::<i32>().prop_map(|int| Value::Int(int.into())).boxed(),
        Type::Int => prop_oneof![any::<i64>(), -200_i64..200].prop_map(Value::Int).boxed(),
        Type::Float if tame => {
            use proptest::num::f64::{NORMAL, SUBNORMAL, ZERO};
            prop_oneof![(NORMAL | SUBNORMAL | ZERO), (-9_i32..9).prop_map(f64::from)]
                .prop_map(Value::Float)
                .boxed()
        }
        Type::Float => any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))).boxed(),
        Type::Text if tame => "[\\PC\r\n\t]{0,40}".prop_map(Value::Text).boxed(),
        Type::Text => any::<String>().prop_map(Value::Text).boxed(),
        Type::Bytes => {
            prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 120..300)].prop_map(Value::Bytes).boxed()
        }
        Type::Time if tame => (-2_000_000_000_i64..9_000_000_000).prop_map(Value::Time).boxed(),
        Type::Time => any::<i64>().prop_map(Value::Time).boxed(),
        Type::List(item) => vec(a_value(item, range), 0..5).prop_map(Value::List).boxed(),
        Type::Struct(fields) => {
            let values: Vec<_> = fields.iter().map(|field| a_value(&field.ty, range)).collect();
            let names: Vec<Arc<str>> = fields.iter().map(|field| Arc::clone(&field.name)).collect();
            values.prop_map(move |values| Value::Struct(names.iter().cloned().zip(values).collect())).boxed()
        }
    }
}

/// A shape with values of it.
pub fn shape_and_values(name: &'static str, range: Range) -> impl Strategy<Value = (Shape, Vec<Value>)> {
    a_shape(name).prop_flat_map(move |shape| {
        let values = values_of(&shape, range);
        (Just(shape), values)
    })
}

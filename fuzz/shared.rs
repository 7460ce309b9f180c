//! What every fuzz target does: the first byte picks a shape, the rest is decoded as that shape.
//! Nothing may panic; what is accepted is of the type, and survives being encoded again.

use wirebench::codec::{Options, Shape, by_name};
use wirebench::rpc::{Field, Type};

/// Shapes that between them reach every path of a decoder.
fn shapes() -> Vec<Shape> {
    let list = |item| Type::List(Box::new(item));
    let row = Type::Struct(vec![
        Field::new("id", Type::Int),
        Field::new("ratio", Type::Float),
        Field::new("name", Type::Text),
        Field::new("blob", Type::Bytes),
        Field::new("when", Type::Time),
        Field::new("ok", Type::Bool),
        Field::new("none", Type::Nil),
        Field::new("tags", list(Type::Text)),
    ]);
    vec![
        Shape::Result(Type::Any),
        Shape::Result(row.clone()),
        Shape::Result(list(list(Type::Int))),
        Shape::Result(list(row.clone())),
        Shape::Result(list(Type::Float)),
        Shape::Result(Type::Nil),
        Shape::Params(vec![]),
        Shape::Params(vec![Field::new("any", Type::Any), Field::new("user", row.clone())]),
        Shape::Params(vec![Field::new("user", row), Field::new("flags", list(Type::Bool))]),
    ]
}

/// Decodes arbitrary bytes with the codec of a name.
pub fn decode(codec: &str, data: &[u8]) {
    let options = Options { xmlrpc_i8: true, ..Options::default() };
    let Some((pick, bytes)) = data.split_first() else { return };
    let Some(codec) = by_name(codec, &options) else { return };
    let mut shapes = shapes();
    let shape = shapes.swap_remove(usize::from(*pick) % shapes.len());
    // Codecs that need a type refuse an open one.
    let Ok(prepared) = codec.prepare(&shape) else { return };
    let mut values = Vec::new();
    if prepared.decode(bytes, &mut values).is_err() {
        return;
    }
    let types: Vec<&Type> = match &shape {
        Shape::Result(ty) => vec![ty],
        Shape::Params(fields) => fields.iter().map(|field| &field.ty).collect(),
    };
    assert_eq!(types.len(), values.len());
    for (ty, value) in types.into_iter().zip(&values) {
        assert_eq!(ty.check(value), Ok(()));
    }
    let mut again = Vec::new();
    let mut reread = Vec::new();
    if let Err(error) = prepared.encode(&values, &mut again) {
        panic!("what was decoded cannot be encoded: {error}");
    }
    if let Err(error) = prepared.decode(&again, &mut reread) {
        panic!("what was encoded cannot be decoded: {error}");
    }
    assert_eq!(values, reread);
}

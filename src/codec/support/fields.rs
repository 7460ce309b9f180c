//! Puts the fields of a struct, which may arrive in any order, into the order of its type.

use std::sync::Arc;

use crate::rpc::{Field, StructValue, Value};

/// Collects the fields of one struct. Fields usually arrive in the type's order; then nothing is
/// remembered but the values.
#[derive(Debug)]
pub(crate) struct FieldOrder<'t> {
    fields: &'t [Field],
    found: StructValue,
    /// The position in the type of each value found; empty as long as they arrive in order.
    positions: Vec<usize>,
}

/// What is wrong with a struct's fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FieldError {
    Unknown(String),
    Twice(Arc<str>),
    Missing(Arc<str>),
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FieldError::Unknown(name) => write!(f, "unknown field {name:?}"),
            FieldError::Twice(name) => write!(f, "field {name:?} stands twice"),
            FieldError::Missing(name) => write!(f, "field {name:?} is missing"),
        }
    }
}

impl<'t> FieldOrder<'t> {
    /// For a struct of these fields, of which the input has about `expected`.
    pub(crate) fn new(fields: &'t [Field], expected: usize) -> Self {
        let found = StructValue::with_capacity(expected.min(fields.len()));
        Self { fields, found, positions: Vec::new() }
    }

    /// The position of the field of this name, whose value comes next.
    pub(crate) fn position(&self, name: &[u8]) -> Result<usize, FieldError> {
        let next = self.found.len();
        if self.positions.is_empty() && self.fields.get(next).is_some_and(|f| f.name.as_bytes() == name) {
            return Ok(next);
        }
        let position = self.fields.iter().position(|field| field.name.as_bytes() == name);
        let position = position.ok_or_else(|| FieldError::unknown(name))?;
        let seen =
            if self.positions.is_empty() { position < next } else { self.positions.contains(&position) };
        if seen { Err(FieldError::Twice(Arc::clone(&self.fields[position].name))) } else { Ok(position) }
    }

    /// Takes the value of the field at a position that [`Self::position`] gave.
    pub(crate) fn put(&mut self, position: usize, value: Value) {
        let next = self.found.len();
        if position != next && self.positions.is_empty() {
            self.positions.extend(0..next);
        }
        if position != next || !self.positions.is_empty() {
            self.positions.push(position);
        }
        self.found.push((Arc::clone(&self.fields[position].name), value));
    }

    /// The fields in the type's order.
    pub(crate) fn finish(self) -> Result<Value, FieldError> {
        if self.found.len() != self.fields.len() {
            let there = |field: &&Field| !self.found.iter().any(|(name, _)| *name == field.name);
            let missing = self.fields.iter().find(there);
            return Err(FieldError::Missing(missing.map_or_else(|| Arc::from(""), |f| Arc::clone(&f.name))));
        }
        if self.positions.is_empty() {
            return Ok(Value::Struct(self.found));
        }
        let mut placed: Vec<_> = self.positions.into_iter().zip(self.found).collect();
        placed.sort_unstable_by_key(|(position, _)| *position);
        Ok(Value::Struct(placed.into_iter().map(|(_, field)| field).collect()))
    }
}

impl FieldError {
    fn unknown(name: &[u8]) -> Self {
        const SHOWN_BYTES: usize = 64;
        let shown = name.get(..SHOWN_BYTES).unwrap_or(name);
        Self::Unknown(String::from_utf8_lossy(shown).into_owned())
    }
}

/// A name that two fields of a struct share. Sorts, because the input decides how many there are.
pub(crate) fn first_duplicate(fields: &StructValue) -> Option<&str> {
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Type;

    fn collect(names: &[&str]) -> Result<Vec<String>, FieldError> {
        let fields = ["a", "b", "c"].map(|name| Field::new(name, Type::Text));
        let mut order = FieldOrder::new(&fields, names.len());
        for name in names {
            let position = order.position(name.as_bytes())?;
            order.put(position, Value::Text((*name).to_owned()));
        }
        let Value::Struct(found) = order.finish()? else { panic!("no struct") };
        for (name, value) in &found {
            assert_eq!(*value, Value::Text(name.to_string()));
        }
        Ok(found.iter().map(|(name, _)| name.to_string()).collect())
    }

    #[test]
    fn any_order_becomes_the_order_of_the_type() {
        for names in [["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
            assert_eq!(collect(&names).unwrap(), ["a", "b", "c"], "{names:?}");
        }
    }

    #[test]
    fn unknown_repeated_and_missing_fields_are_named() {
        assert_eq!(collect(&["a", "x"]), Err(FieldError::Unknown("x".into())));
        assert_eq!(collect(&["a", "b", "a"]), Err(FieldError::Twice("a".into())));
        assert_eq!(collect(&["c", "a", "c"]), Err(FieldError::Twice("c".into())));
        assert_eq!(collect(&["c", "a"]), Err(FieldError::Missing("b".into())));
        assert_eq!(collect(&["a", "b", "c", "c"]), Err(FieldError::Twice("c".into())));
    }
}

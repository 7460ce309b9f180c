//! What a payload size of a sweep replaces in the parameters of a method.

use super::Shape;

/// A payload size, and where it goes.
///
/// Where a method's parameters have text or bytes with a length, these take the size. Where they have none,
/// lists with a length do, with as many items as come to it: so a sweep over sizes can be made of any type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizing {
    /// Each text and bytes with a length has so many bytes.
    Content(u64),
    /// Each list with a length has as many items as carry so many bytes of information together; of lists
    /// in lists, the innermost.
    Items(u64),
}

impl Sizing {
    /// Where a payload size goes in parameters of these shapes; none where there is no size.
    #[must_use]
    pub fn of<'s>(shapes: impl IntoIterator<Item = &'s Shape>, payload_bytes: Option<u64>) -> Option<Self> {
        let is_content = shapes.into_iter().any(Shape::has_sized_content);
        payload_bytes.map(|bytes| if is_content { Sizing::Content(bytes) } else { Sizing::Items(bytes) })
    }

    /// The size of text and bytes.
    #[must_use]
    pub(super) fn content(self) -> Option<u64> {
        match self {
            Sizing::Content(bytes) => Some(bytes),
            Sizing::Items(_) => None,
        }
    }

    /// The size of lists.
    #[must_use]
    pub(super) fn items(self) -> Option<u64> {
        match self {
            Sizing::Content(_) => None,
            Sizing::Items(bytes) => Some(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Length;
    use super::super::shape::memory_bytes;
    use super::*;
    use crate::rpc::Value;
    use crate::rpc::random::Random;

    fn list(of: Shape, length: Option<Length>) -> Shape {
        Shape::List { of: Box::new(of), length }
    }

    const LENGTH: Option<Length> = Some(Length { min: 2, max: 2 });

    fn drawn(shape: &Shape, bytes: u64) -> Value {
        shape.draw(&mut Random::new(7), Sizing::of([shape], Some(bytes)))
    }

    #[test]
    fn lists_grow_until_their_items_carry_the_size() {
        let wide = Shape::Int { min: 1 << 24, max: 1 << 30 };
        let record =
            Shape::Struct(vec![("name".into(), Shape::Text { length: None }), ("id".into(), wide.clone())]);
        for (of, item_bytes) in [(wide, 4), (Shape::DEFAULT_FLOAT, 8), (Shape::Bool, 1), (record, 52)] {
            let shape = list(of, LENGTH);
            for bytes in [0, 8, 1_000, 100_000] {
                let found = drawn(&shape, bytes).payload_bytes();
                assert!(found >= bytes && found < bytes + item_bytes, "{bytes}: {found}");
            }
        }
        // What carries nothing still ends.
        assert!(matches!(drawn(&list(Shape::Nil, LENGTH), 10), Value::List(items) if items.len() == 10));
    }

    #[test]
    fn text_and_bytes_with_a_length_come_first_and_lists_without_one_stay() {
        let tags = list(Shape::Text { length: None }, LENGTH);
        let both = Shape::Struct(vec![
            ("tags".into(), tags.clone()),
            ("blob".into(), Shape::Bytes { length: LENGTH }),
        ]);
        let Value::Struct(fields) = drawn(&both, 500) else { panic!() };
        assert!(matches!(&fields[0].1, Value::List(items) if items.len() == 2));
        assert_eq!(fields[1].1.payload_bytes(), 500);
        assert!(!list(Shape::Bool, None).has_payload() && tags.has_payload());
        assert!(matches!(drawn(&list(Shape::Bool, None), 500), Value::List(items) if items.len() == 4));
        // Of lists in lists, the innermost.
        let Value::List(rows) = drawn(&list(list(Shape::Bool, LENGTH), LENGTH), 100) else { panic!() };
        assert!(rows.len() == 2 && rows.iter().all(|row| row.payload_bytes() == 100));
    }

    #[test]
    fn the_estimate_of_memory_holds_for_lists_that_grow() {
        for of in [
            Shape::Int { min: 0, max: 9 },
            Shape::Int { min: -40_000, max: -300 },
            Shape::Text { length: None },
            Shape::Nil,
            Shape::Struct(vec![("a".into(), Shape::Bool), ("b".into(), Shape::DEFAULT_TIME)]),
        ] {
            let shape = list(of, LENGTH);
            let sizing = Sizing::of([&shape], Some(3_000));
            assert!(memory_bytes(&drawn(&shape, 3_000)) <= shape.most_bytes(sizing), "{shape:?}");
        }
    }
}

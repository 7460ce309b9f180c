//! Shapes: a type together with what the generator needs to draw values of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Sizing;
use crate::rpc::random::Random;
use crate::rpc::{Field, Type, Value};

/// The characters of generated text: letters, digits, punctuation and some non-ASCII letters.
/// Among the punctuation is what XML, JSON and protobuf's text have to escape, because users'
/// text has it too; spaces are absent, because some XML readers trim them.
const ALPHABET: [char; 96] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u',
    'v', 'w', 'x', 'y', 'z', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
    'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.',
    ',', ';', ':', '!', '?', '-', '_', '(', ')', '/', '#', '%', '+', '*', '=', '@', '\'', '"', '&', '<', '>',
    'ä', 'ö', 'ü', 'ß', 'é', 'è', 'ñ', 'ç', 'å', 'λ', 'ж', '語',
];

/// The characters of one byte come first in [`ALPHABET`].
const ASCII_CHARACTERS: u64 = 84;

/// The longest character of [`ALPHABET`] in UTF-8, in bytes.
const LONGEST_CHARACTER_BYTES: u64 = 3;

/// The memory of a [`Value`] beside its content, roughly, in bytes.
const VALUE_OVERHEAD_BYTES: u64 = 32;

/// Floats are drawn with three decimals, as far as this many steps fit the range.
const FLOAT_STEPS_PER_UNIT: f64 = 1_000.0;

/// The length of a text in characters, of bytes in bytes, of a list in items; both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Length {
    /// The length of a text or of bytes for which the scenario says nothing.
    pub const DEFAULT: Length = Length { min: 16, max: 16 };

    /// The length of a list for which the scenario says nothing.
    pub const DEFAULT_LIST: Length = Length { min: 4, max: 4 };

    fn draw(self, random: &mut Random) -> u64 {
        if self.min >= self.max {
            return self.min;
        }
        self.min + random.below(self.max - self.min + 1)
    }
}

/// What values of a parameter or an answer look like. All ranges include both ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Always this value.
    Literal {
        /// Its type.
        ty: Type,
        /// The value, of that type.
        value: Value,
    },
    /// One of the user's own values.
    Sample {
        /// The type of them all.
        ty: Type,
        /// The values; there is one at least.
        values: Arc<[Value]>,
    },
    /// No value.
    Nil,
    /// A truth value.
    Bool,
    /// A whole number.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A finite number with three decimals, where the range is wide enough for that.
    Float {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// Text.
    Text {
        /// In characters; `None` where the scenario gives none ([`Length::DEFAULT`]).
        length: Option<Length>,
    },
    /// Bytes.
    Bytes {
        /// In bytes; `None` where the scenario gives none ([`Length::DEFAULT`]).
        length: Option<Length>,
    },
    /// A point in time.
    Time {
        /// The earliest, in seconds since 1970 UTC.
        min: i64,
        /// The latest, in seconds since 1970 UTC.
        max: i64,
    },
    /// A list.
    List {
        /// The shape of each item.
        of: Box<Shape>,
        /// The number of items; `None` where the scenario gives none ([`Length::DEFAULT_LIST`]).
        length: Option<Length>,
    },
    /// Named fields, in order.
    Struct(Vec<(Arc<str>, Shape)>),
}

impl Shape {
    /// A whole number for which the scenario says nothing.
    pub const DEFAULT_INT: Shape = Shape::Int { min: 0, max: 1_000_000 };

    /// A float for which the scenario says nothing.
    pub const DEFAULT_FLOAT: Shape = Shape::Float { min: 0.0, max: 1_000.0 };

    /// A time for which the scenario says nothing: the years 2000 to 2037, which even a signed
    /// 32-bit count of seconds can hold.
    pub const DEFAULT_TIME: Shape = Shape::Time { min: 946_684_800, max: 2_145_916_799 };

    /// The type of the values.
    #[must_use]
    pub fn ty(&self) -> Type {
        match self {
            Shape::Literal { ty, .. } | Shape::Sample { ty, .. } => ty.clone(),
            Shape::Nil => Type::Nil,
            Shape::Bool => Type::Bool,
            Shape::Int { .. } => Type::Int,
            Shape::Float { .. } => Type::Float,
            Shape::Text { .. } => Type::Text,
            Shape::Bytes { .. } => Type::Bytes,
            Shape::Time { .. } => Type::Time,
            Shape::List { of, .. } => Type::List(Box::new(of.ty())),
            Shape::Struct(fields) => Type::Struct(
                fields.iter().map(|(name, shape)| Field { name: name.clone(), ty: shape.ty() }).collect(),
            ),
        }
    }

    /// Draws a value. A sizing replaces lengths that the scenario gives: bytes then have exactly that many,
    /// text has that many in UTF-8, and a list ends with the item that reaches them.
    #[must_use]
    pub fn draw(&self, random: &mut Random, sizing: Option<Sizing>) -> Value {
        match self {
            Shape::Literal { value, .. } => value.clone(),
            Shape::Sample { values, .. } => {
                let index = usize::try_from(random.below(values.len() as u64)).unwrap_or(0);
                values.get(index).cloned().unwrap_or(Value::Nil)
            }
            Shape::Nil => Value::Nil,
            Shape::Bool => Value::Bool(random.below(2) == 1),
            Shape::Int { min, max } => Value::Int(random.between(*min, *max)),
            Shape::Float { min, max } => Value::Float(draw_float(random, *min, *max)),
            Shape::Text { length } => Value::Text(match (sizing.and_then(Sizing::content), length) {
                (Some(bytes), Some(_)) => draw_text_of_bytes(random, bytes),
                _ => {
                    let characters = length.unwrap_or(Length::DEFAULT).draw(random);
                    (0..characters).map(|_| draw_character(random, ALPHABET.len() as u64)).collect()
                }
            }),
            Shape::Bytes { length } => Value::Bytes(match (sizing.and_then(Sizing::content), length) {
                (Some(bytes), Some(_)) => draw_bytes(random, bytes),
                _ => {
                    let bytes = length.unwrap_or(Length::DEFAULT).draw(random);
                    draw_bytes(random, bytes)
                }
            }),
            Shape::Time { min, max } => Value::Time(random.between(*min, *max)),
            Shape::List { of, length } => Value::List(match self.grows(sizing) {
                Some(bytes) => draw_items(of, random, bytes),
                None => {
                    let items = length.unwrap_or(Length::DEFAULT_LIST).draw(random);
                    (0..items).map(|_| of.draw(random, sizing)).collect()
                }
            }),
            Shape::Struct(fields) => Value::Struct(
                fields.iter().map(|(name, shape)| (name.clone(), shape.draw(random, sizing))).collect(),
            ),
        }
    }

    /// Whether every draw gives the same value.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match self {
            Shape::Literal { .. } | Shape::Nil => true,
            Shape::Sample { values, .. } => values.len() <= 1,
            Shape::Bool | Shape::Text { .. } | Shape::Bytes { .. } => false,
            Shape::Int { min, max } | Shape::Time { min, max } => min == max,
            Shape::Float { min, max } => min.to_bits() == max.to_bits(),
            Shape::List { of, length } => {
                let length = length.unwrap_or(Length::DEFAULT_LIST);
                length.max == 0 || (length.min == length.max && of.is_constant())
            }
            Shape::Struct(fields) => fields.iter().all(|(_, shape)| shape.is_constant()),
        }
    }

    /// Whether `sweep.payload` changes anything here.
    #[must_use]
    pub fn has_payload(&self) -> bool {
        self.has_sized_content() || self.has_sized_list()
    }

    /// Whether there is text or bytes with a length.
    #[must_use]
    pub fn has_sized_content(&self) -> bool {
        match self {
            Shape::Text { length } | Shape::Bytes { length } => length.is_some(),
            Shape::List { of, .. } => of.has_sized_content(),
            Shape::Struct(fields) => fields.iter().any(|(_, shape)| shape.has_sized_content()),
            _ => false,
        }
    }

    /// Whether there is a list with a length.
    fn has_sized_list(&self) -> bool {
        match self {
            Shape::List { of, length } => length.is_some() || of.has_sized_list(),
            Shape::Struct(fields) => fields.iter().any(|(_, shape)| shape.has_sized_list()),
            _ => false,
        }
    }

    /// The bytes that the items of this list must come to; none where it is no list that grows.
    fn grows(&self, sizing: Option<Sizing>) -> Option<u64> {
        match self {
            Shape::List { of, length: Some(_) } if !of.has_sized_list() => sizing.and_then(Sizing::items),
            _ => None,
        }
    }

    /// The least information in a value, in bytes, by the rule of [`Value::payload_bytes`].
    fn least_payload_bytes(&self) -> u64 {
        match self {
            Shape::Literal { value, .. } => value.payload_bytes(),
            Shape::Sample { values, .. } => values.iter().map(Value::payload_bytes).min().unwrap_or(0),
            Shape::Nil => 0,
            Shape::Bool => 1,
            Shape::Int { min, max } => Value::Int((*min).max(0).min(*max)).payload_bytes(),
            Shape::Float { .. } | Shape::Time { .. } => 8,
            Shape::Text { length } | Shape::Bytes { length } => length.unwrap_or(Length::DEFAULT).min,
            Shape::List { of, length } => {
                of.least_payload_bytes().saturating_mul(length.unwrap_or(Length::DEFAULT_LIST).min)
            }
            Shape::Struct(fields) => {
                fields.iter().fold(0, |sum: u64, (_, shape)| sum.saturating_add(shape.least_payload_bytes()))
            }
        }
    }

    /// The most memory that a value of this shape takes, roughly, in bytes.
    #[must_use]
    pub fn most_bytes(&self, sizing: Option<Sizing>) -> u64 {
        let sized =
            |length: &Option<Length>, unit_bytes: u64| match (sizing.and_then(Sizing::content), length) {
                (Some(bytes), Some(_)) => bytes,
                _ => length.unwrap_or(Length::DEFAULT).max.saturating_mul(unit_bytes),
            };
        let content = match self {
            Shape::Literal { value, .. } => return memory_bytes(value),
            Shape::Sample { values, .. } => return values.iter().map(memory_bytes).max().unwrap_or(0),
            Shape::Text { length } => sized(length, LONGEST_CHARACTER_BYTES),
            Shape::Bytes { length } => sized(length, 1),
            Shape::List { of, length } => {
                let items = match self.grows(sizing) {
                    Some(bytes) => bytes / of.least_payload_bytes().max(1) + 1,
                    None => length.unwrap_or(Length::DEFAULT_LIST).max,
                };
                of.most_bytes(sizing).saturating_mul(items)
            }
            Shape::Struct(fields) => fields.iter().fold(0_u64, |sum, (_, shape)| {
                sum.saturating_add(VALUE_OVERHEAD_BYTES).saturating_add(shape.most_bytes(sizing))
            }),
            _ => 0,
        };
        content.saturating_add(VALUE_OVERHEAD_BYTES)
    }
}

/// The memory that a value takes, roughly, in bytes: the same on every machine, because the
/// number of variants in a pool follows from it.
pub(super) fn memory_bytes(value: &Value) -> u64 {
    let content = match value {
        Value::Text(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::List(items) => items.iter().map(memory_bytes).sum(),
        Value::Struct(fields) => {
            fields.iter().map(|(_, value)| VALUE_OVERHEAD_BYTES + memory_bytes(value)).sum()
        }
        _ => 0,
    };
    content + VALUE_OVERHEAD_BYTES
}

/// Items until they carry so many bytes of information; one that carries none counts as a byte.
fn draw_items(of: &Shape, random: &mut Random, bytes: u64) -> Vec<Value> {
    let (mut items, mut carried) = (Vec::new(), 0_u64);
    while carried < bytes {
        let item = of.draw(random, None);
        carried = carried.saturating_add(item.payload_bytes().max(1));
        items.push(item);
    }
    items
}

fn draw_float(random: &mut Random, min: f64, max: f64) -> f64 {
    // Beyond this, thousandths are no longer exact.
    const LARGEST: f64 = 1e12;
    let first = (min * FLOAT_STEPS_PER_UNIT).ceil();
    let last = (max * FLOAT_STEPS_PER_UNIT).floor();
    if min.abs() <= LARGEST && max.abs() <= LARGEST && first <= last {
        #[allow(clippy::cast_possible_truncation)]
        let step = random.between(first as i64, last as i64);
        #[allow(clippy::cast_precision_loss)]
        let drawn = step as f64 / FLOAT_STEPS_PER_UNIT;
        return drawn.clamp(min, max);
    }
    // Weighted ends instead of a difference, which could overflow.
    let share = random.unit();
    (min * (1.0 - share) + max * share).clamp(min, max)
}

fn draw_character(random: &mut Random, among: u64) -> char {
    usize::try_from(random.below(among)).ok().and_then(|index| ALPHABET.get(index)).copied().unwrap_or('a')
}

fn draw_text_of_bytes(random: &mut Random, bytes: u64) -> String {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut text = String::with_capacity(bytes);
    while text.len() < bytes {
        let character = draw_character(random, ALPHABET.len() as u64);
        if text.len() + character.len_utf8() <= bytes {
            text.push(character);
        } else {
            text.push(draw_character(random, ASCII_CHARACTERS));
        }
    }
    text
}

fn draw_bytes(random: &mut Random, bytes: u64) -> Vec<u8> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut drawn = Vec::with_capacity(bytes.saturating_add(8));
    while drawn.len() < bytes {
        drawn.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    drawn.truncate(bytes);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_begins_with_its_ascii_characters_and_has_no_spaces_or_doubles() {
        let ascii = ALPHABET.iter().take_while(|character| character.is_ascii_graphic()).count();
        assert_eq!(ascii as u64, ASCII_CHARACTERS);
        assert!(ALPHABET[ascii..].iter().all(|character| character.is_alphabetic() && !character.is_ascii()));
        let distinct: std::collections::BTreeSet<char> = ALPHABET.iter().copied().collect();
        assert_eq!(distinct.len(), ALPHABET.len());
        assert!(ALPHABET.iter().all(|character| character.len_utf8() as u64 <= LONGEST_CHARACTER_BYTES));
    }

    #[test]
    fn lengths_count_characters_and_are_honoured_at_both_ends() {
        let shape = Shape::Text { length: Some(Length { min: 3, max: 5 }) };
        let mut random = Random::new(1);
        let lengths: std::collections::BTreeSet<usize> = (0..200)
            .map(|_| match shape.draw(&mut random, None) {
                Value::Text(text) => text.chars().count(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn a_payload_override_gives_text_and_bytes_of_exactly_that_many_bytes() {
        let length = Some(Length { min: 1, max: 2 });
        let mut random = Random::new(2);
        for bytes in [0_u64, 1, 7, 64, 1_000] {
            let text = Shape::Text { length }.draw(&mut random, Some(Sizing::Content(bytes)));
            let blob = Shape::Bytes { length }.draw(&mut random, Some(Sizing::Content(bytes)));
            assert_eq!((text.payload_bytes(), blob.payload_bytes()), (bytes, bytes));
        }
        let untouched = Shape::Bytes { length: None }.draw(&mut random, Some(Sizing::Content(1_000)));
        assert_eq!(untouched.payload_bytes(), 16);
    }

    #[test]
    fn floats_stay_in_range_and_have_few_decimals_where_there_is_room() {
        let mut random = Random::new(3);
        for (min, max) in
            [(0.0, 1.0), (-5.5, 5.5), (0.0001, 0.0002), (-f64::MAX, f64::MAX), (2.0, 2.0), (0.1, 0.3)]
        {
            for _ in 0..1_000 {
                let drawn = draw_float(&mut random, min, max);
                assert!((min..=max).contains(&drawn), "{drawn} of {min} to {max}");
            }
        }
        let drawn = draw_float(&mut random, 0.0, 1_000.0);
        assert!(drawn.to_string().split('.').nth(1).is_none_or(|decimals| decimals.len() <= 3), "{drawn}");
    }

    #[test]
    fn the_estimate_of_memory_is_never_too_small() {
        let shape = Shape::Struct(vec![
            ("text".into(), Shape::Text { length: Some(Length { min: 0, max: 40 }) }),
            (
                "list".into(),
                Shape::List {
                    of: Box::new(Shape::Bytes { length: None }),
                    length: Some(Length { min: 0, max: 9 }),
                },
            ),
            ("number".into(), Shape::DEFAULT_INT),
        ]);
        let mut random = Random::new(4);
        for payload in [None, Some(Sizing::Content(100))] {
            let most = shape.most_bytes(payload);
            assert!((0..200).all(|_| memory_bytes(&shape.draw(&mut random, payload)) <= most));
        }
    }
}

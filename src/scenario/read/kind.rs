//! What a key may hold, in words for messages.

use super::keys::Kind;
use super::words::join;
use crate::scenario::duration::{MOST_NS, format_duration_ns};

impl Kind {
    /// The forms of a key: itself, where it has one only.
    pub(in crate::scenario) fn forms(&self) -> &[Kind] {
        match self {
            Kind::Either(forms) => forms,
            single => std::slice::from_ref(single),
        }
    }

    /// The names that the key allows, if it is one of names.
    pub(in crate::scenario) fn choices(&self) -> Option<&'static [&'static str]> {
        self.forms().iter().find_map(|kind| match kind {
            Kind::Choice(names) => Some(*names),
            _ => None,
        })
    }

    /// Whether the key may hold this whole number.
    pub(in crate::scenario) fn takes_integer(&self, integer: u64) -> bool {
        let Kind::Integer { min, max } = self else { return false };
        i64::try_from(integer).is_ok_and(|integer| (*min..=*max).contains(&integer))
    }

    /// Whether the key may hold this number.
    pub(in crate::scenario) fn takes_number(&self, number: f64) -> bool {
        let Kind::Number { min, max } = self else { return false };
        (*min..=*max).contains(&number)
    }

    /// Whether the key may hold this duration, in nanoseconds.
    pub(in crate::scenario) fn takes_duration(&self, ns: u64) -> bool {
        let Kind::Duration { min_ns } = self else { return false };
        (*min_ns..=MOST_NS).contains(&ns)
    }

    /// What is allowed, for "expected …".
    pub(in crate::scenario) fn describe(&self) -> String {
        match self {
            Kind::Bool => "true or false".into(),
            Kind::Integer { min: i64::MIN, max: i64::MAX } => "a whole number of 64 bits".into(),
            Kind::Integer { min, max: i64::MAX } => format!("a whole number from {min}"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Number { min, .. } if *min == f64::MIN => "a finite number".into(),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
            Kind::AnyNumber => "a number".into(),
            Kind::Text { most } => format!("a text of 1 to {most} characters"),
            Kind::AnyText => "a text".into(),
            Kind::Duration { min_ns: 0 } => "a duration with its unit, as \"500ms\"".into(),
            Kind::Duration { min_ns } => {
                format!("a duration of at least {}, as \"500ms\"", format_duration_ns(*min_ns))
            }
            Kind::Time => "a time in UTC with whole seconds, as \"2023-11-14T22:13:20Z\"".into(),
            Kind::Choice(names) => {
                join(names.iter().map(|name| format!("\"{name}\""))).replace("\", ", "\" or ")
            }
            Kind::List { of, least, most } if least == most => {
                format!("a list of {least} items, each {}", of.describe())
            }
            Kind::List { of, least, most } => {
                format!("a list of {least} to {most} items, each {}", of.describe())
            }
            Kind::Table(keys) if keys.keys.is_empty() => "an empty table".into(),
            Kind::Table(keys) if keys.exactly_one => {
                format!("a table with one of {}", join(keys.keys.iter().map(|key| key.name)))
            }
            Kind::Table(keys) => format!("a table with {}", join(keys.keys.iter().map(|key| key.name))),
            Kind::Names { least, most, .. } => format!("a table of {least} to {most} names"),
            Kind::Either(forms) => {
                let mut described = forms.iter().map(Kind::describe);
                let first = described.next().unwrap_or_default();
                described.fold(first, |sum, form| format!("{sum}, or {form}"))
            }
            Kind::Literal => "a literal".into(),
        }
    }
}

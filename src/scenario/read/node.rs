//! Walking the parsed file: nodes know their key, their path and what the key may hold.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;
use toml::value::Offset;

use super::keys::{Key, Keys, Kind};
use super::words::{closest, join, quote};
use crate::rpc::from_civil;
use crate::scenario::duration::parse_duration_ns;

/// Something wrong, with the bytes of the file to point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Problem {
    pub(in crate::scenario) key: Range<usize>,
    /// The value, shown too where it shares the key's line.
    pub(in crate::scenario) value: Option<Range<usize>>,
    pub(in crate::scenario) message: String,
    pub(in crate::scenario) help: Option<String>,
}

impl Problem {
    pub(in crate::scenario) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

pub(super) type Read<T> = Result<T, Problem>;

/// A value of the file with the key that it stands under.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) path: String,
    key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
    kind: &'static Kind,
    /// Where files that the scenario names are looked for.
    pub(super) folder: &'a Path,
}

/// A table of the file whose keys are known.
#[derive(Debug)]
pub(super) struct Section<'a> {
    nodes: Vec<Node<'a>>,
    node: Node<'a>,
}

impl<'a> Node<'a> {
    /// The whole file.
    pub(super) fn root(value: &'a Spanned<DeValue<'a>>, kind: &'static Kind, folder: &'a Path) -> Self {
        Self { name: "", path: String::new(), key: 0..0, value, kind, folder }
    }

    /// Something wrong with this key.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem {
            key: self.key.clone(),
            value: Some(self.value.span()),
            message: format!("{}: {}", self.shown_path(), message.into()),
            help: None,
        }
    }

    /// Something wrong with the key's own name.
    pub(super) fn name_problem(&self, message: impl Into<String>) -> Problem {
        Problem { value: None, ..self.problem(message) }
    }

    fn shown_path(&self) -> String {
        if self.path.is_empty() { "scenario".into() } else { self.path.clone() }
    }

    fn expected(&self) -> Problem {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("the text {}", quote(text)),
            DeValue::Integer(integer) => quote(&integer.to_string()),
            DeValue::Float(float) => quote(float.as_str()),
            DeValue::Boolean(value) => format!("`{value}`"),
            DeValue::Datetime(value) => quote(&value.to_string()),
            DeValue::Array(_) => "a list".into(),
            DeValue::Table(_) => "a table".into(),
        };
        let problem = self.problem(format!("expected {}, found {found}", self.kind.describe()));
        match (self.kind.choices(), self.value.get_ref()) {
            (Some(choices), DeValue::String(text)) => match closest(text, choices.iter().copied()) {
                Some(name) => problem.with_help(format!("did you mean \"{name}\"?")),
                None => problem,
            },
            _ => problem,
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// A whole number in the range of the key.
    pub(super) fn integer(&self) -> Read<i64> {
        let range = self.kind.forms().iter().find_map(|kind| match kind {
            Kind::Integer { min, max } => Some((*min, *max)),
            _ => None,
        });
        let (min, max) = range.unwrap_or((i64::MIN, i64::MAX));
        self.value
            .get_ref()
            .as_integer()
            .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|integer| (min..=max).contains(integer))
            .ok_or_else(|| self.expected())
    }

    /// A whole number that the range of the key keeps positive.
    pub(super) fn unsigned(&self) -> Read<u64> {
        u64::try_from(self.integer()?).map_err(|_| self.expected())
    }

    /// A whole number that the range of the key keeps positive and small.
    pub(super) fn small(&self) -> Read<u32> {
        u32::try_from(self.integer()?).map_err(|_| self.expected())
    }

    /// A number in the range of the key; whole numbers count too.
    pub(super) fn number(&self) -> Read<f64> {
        let number = match self.value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().ok(),
            #[allow(clippy::cast_precision_loss)]
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|integer| integer as f64)
            }
            _ => None,
        };
        let fits = |number: &f64| {
            self.kind.forms().iter().any(|kind| match kind {
                Kind::Number { min, max } => (*min..=*max).contains(number),
                Kind::AnyNumber => true,
                _ => false,
            })
        };
        number.filter(fits).ok_or_else(|| self.expected())
    }

    pub(super) fn boolean(&self) -> Read<bool> {
        self.value.get_ref().as_bool().ok_or_else(|| self.expected())
    }

    /// Text, not longer than the key allows.
    pub(super) fn text(&self) -> Read<&'a str> {
        let text = self.value.get_ref().as_str().ok_or_else(|| self.expected())?;
        let fits = self.kind.forms().iter().any(|kind| match kind {
            Kind::Text { most } => !text.trim().is_empty() && text.chars().count() <= *most,
            _ => true,
        });
        if fits { Ok(text) } else { Err(self.expected()) }
    }

    /// One of the key's names.
    pub(super) fn choice(&self) -> Read<&'a str> {
        let known = |text: &&str| self.kind.choices().is_some_and(|choices| choices.contains(text));
        self.value.get_ref().as_str().filter(known).ok_or_else(|| self.expected())
    }

    /// A duration in nanoseconds.
    pub(super) fn duration_ns(&self) -> Read<u64> {
        let text = self.value.get_ref().as_str().ok_or_else(|| self.expected())?;
        let ns = parse_duration_ns(text)
            .map_err(|error| self.problem(format!("{} is no duration: {error}", quote(text))))?;
        let least_ns = self.kind.forms().iter().find_map(|kind| match kind {
            Kind::Duration { min_ns } => Some(*min_ns),
            _ => None,
        });
        if ns < least_ns.unwrap_or(0) { Err(self.expected()) } else { Ok(ns) }
    }

    /// A point in time: whole seconds since 1970 UTC.
    pub(super) fn time(&self) -> Read<i64> {
        match self.value.get_ref() {
            DeValue::String(text) => crate::rpc::parse_rfc3339(text),
            DeValue::Datetime(value) => seconds_of(value),
            _ => None,
        }
        .ok_or_else(|| self.expected())
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Read<Vec<Node<'a>>> {
        let bounds = self.kind.forms().iter().find_map(|kind| match kind {
            Kind::List { of, least, most } => Some((*of, *least, *most)),
            _ => None,
        });
        let (of, least, most) = bounds.unwrap_or((&Kind::Literal, 0, usize::MAX));
        let array = self.value.get_ref().as_array().ok_or_else(|| self.expected())?;
        if !(least..=most).contains(&array.len()) {
            return Err(self.problem(format!("expected {}, found {}", self.kind.describe(), array.len())));
        }
        let item = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| Node {
            name: self.name,
            path: format!("{}[{index}]", self.path),
            key: value.span(),
            value,
            kind: of,
            folder: self.folder,
        };
        Ok(array.iter().enumerate().map(item).collect())
    }

    /// The entries of a table of freely chosen names, in the order of the file.
    pub(super) fn entries(&self) -> Read<Vec<Node<'a>>> {
        let bounds = self.kind.forms().iter().find_map(|kind| match kind {
            Kind::Names { of, least, most } => Some((*of, *least, *most)),
            _ => None,
        });
        let (of, least, most) = bounds.unwrap_or((&Kind::Literal, 0, usize::MAX));
        let entries = self.children(|_| Some(of))?;
        if !(least..=most).contains(&entries.len()) {
            return Err(self.problem(format!("expected {}, found {}", self.kind.describe(), entries.len())));
        }
        Ok(entries)
    }

    /// The value as a literal of a type: see [`super::shapes`].
    pub(super) fn literal(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    fn children(&self, kind_of: impl Fn(&str) -> Option<&'static Kind>) -> Read<Vec<Node<'a>>> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.expected())?;
        let gap = if self.path.is_empty() { "" } else { "." };
        let mut nodes = Vec::with_capacity(table.len());
        for (key, value) in table {
            let name: &'a str = key.get_ref();
            let shown = quote(name);
            let shown = shown.trim_matches('`');
            let path = format!("{}{gap}{shown}", self.path);
            let mut node =
                Node { name, path, key: key.span(), value, kind: &Kind::Literal, folder: self.folder };
            match kind_of(name) {
                Some(kind) => node.kind = kind,
                None => return Err(node.name_problem("unknown key")),
            }
            nodes.push(node);
        }
        // The parser sorts by name; parameters and methods count in the order of the file.
        nodes.sort_by_key(|node| node.key.start);
        Ok(nodes)
    }

    /// Opens a table whose keys are known.
    pub(super) fn section(&self) -> Read<Section<'a>> {
        let keys = self.kind.forms().iter().find_map(|kind| match kind {
            Kind::Table(keys) => Some(*keys),
            _ => None,
        });
        let Some(keys) = keys else { return Err(self.expected()) };
        let find = |name: &str| keys.keys.iter().find(|key| key.name == name).map(|key| &key.kind);
        let nodes = self.children(find).map_err(|problem| self.unknown(problem, keys))?;
        if let Some(Key { name, doc, .. }) =
            keys.keys.iter().find(|key| key.required && !nodes.iter().any(|node| node.name == key.name))
        {
            return Err(self
                .problem(format!("the key `{name}` is missing"))
                .with_help(format!("{name}: {doc}")));
        }
        if keys.exactly_one && nodes.len() != 1 {
            let allowed = join(keys.keys.iter().map(|key| key.name));
            return Err(self
                .problem(format!("expected exactly one key, found {}", nodes.len()))
                .with_help(format!("allowed: {allowed}")));
        }
        Ok(Section { nodes, node: self.clone() })
    }

    /// Adds to an unknown key what was probably meant and what is allowed.
    fn unknown(&self, problem: Problem, keys: &Keys) -> Problem {
        if problem.value.is_some() {
            return problem;
        }
        let table = self.value.get_ref().as_table();
        let unknown = table.and_then(|table| {
            table.keys().find(|key| key.span() == problem.key).map(|key| key.get_ref().to_string())
        });
        let names = || keys.keys.iter().map(|key| key.name);
        let allowed = if keys.keys.is_empty() { "nothing".into() } else { join(names()) };
        let help = match unknown.as_deref().and_then(|name| closest(name, names())) {
            Some(name) => format!("did you mean `{name}`? allowed: {allowed}"),
            None => format!("allowed: {allowed}"),
        };
        problem.with_help(help)
    }
}

impl<'a> Section<'a> {
    /// A key, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// A key that the table of keys says is required.
    pub(super) fn need(&self, name: &str) -> Read<&Node<'a>> {
        self.get(name).ok_or_else(|| self.node.problem(format!("the key `{name}` is missing")))
    }

    /// The first key in the order of the file.
    pub(super) fn first(&self) -> Read<&Node<'a>> {
        self.nodes.first().ok_or_else(|| self.node.problem("empty"))
    }

    /// The table itself.
    pub(super) fn node(&self) -> &Node<'a> {
        &self.node
    }

    /// Refuses two keys that exclude each other.
    pub(super) fn exclusive(&self, a: &str, b: &str) -> Read<()> {
        match (self.get(a), self.get(b)) {
            (Some(first), Some(second)) => {
                let later = if first.key.start > second.key.start { first } else { second };
                Err(later
                    .name_problem(format!("`{a}` and `{b}` exclude each other"))
                    .with_help("keep one of them"))
            }
            _ => Ok(()),
        }
    }
}

/// Whole seconds of a date-time with an offset; `None` for a local time or a fraction of a second.
fn seconds_of(value: &toml::value::Datetime) -> Option<i64> {
    let (date, time, offset) = (value.date?, value.time?, value.offset?);
    if time.nanosecond.unwrap_or(0) != 0 {
        return None;
    }
    let offset_s = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes) * 60,
    };
    let local_s = from_civil(
        i64::from(date.year),
        u32::from(date.month),
        u32::from(date.day),
        u32::from(time.hour),
        u32::from(time.minute),
        u32::from(time.second.unwrap_or(0)),
    )?;
    let seconds = local_s - offset_s;
    crate::rpc::civil(seconds).map(|_| seconds)
}

//! Scenario files to start from: written from what is known of a server, or from nothing. Pure text;
//! what is written is valid as it stands.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::read::keys::{LONGEST_NAME, LONGEST_TITLE, MOST_METHODS};
use crate::rpc::{Field, Type, Value};

/// What is known of a server.
#[derive(Debug, Clone)]
pub struct Skeleton {
    /// The scenario's name, as the server says it; what a name cannot hold is left out.
    pub name: String,
    /// The server's URL.
    pub url: String,
    /// More lines for the back end's table, as `proto = "service.proto"`.
    pub backend_lines: Vec<String>,
    /// Its methods.
    pub methods: Vec<SkeletonMethod>,
    /// What it would not tell, for the head of the file.
    pub notes: Vec<String>,
}

/// What is known of a method.
#[derive(Debug, Clone)]
pub struct SkeletonMethod {
    /// The name.
    pub name: String,
    /// The parameters; `None` where the server does not tell them.
    pub params: Option<Vec<Field>>,
    /// The type of the answer; open where it is not known.
    pub returns: Type,
    /// Whether it streams.
    pub streams: bool,
    /// Why it cannot be called, if so: it is written as a comment.
    pub obstacle: Option<String>,
    /// Values that stand for a type where any other would be wrong, by their path.
    pub samples: Vec<(String, Value)>,
    /// Its documentation.
    pub help: String,
}

/// The commented scenario of `wirebench init`.
pub const INIT: &str = include_str!("init.toml");

/// The most lines of a method's documentation that are kept.
const HELP_LINES: usize = 3;

impl Skeleton {
    /// Whether a scenario could call any of the methods.
    #[must_use]
    pub fn is_callable(&self) -> bool {
        self.methods.iter().any(is_usable)
    }

    /// The scenario file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out);
        out
    }

    /// The methods that the scenario has: those that it can hold, as many as it can hold.
    fn mixed(&self) -> Vec<&SkeletonMethod> {
        let mut names = HashSet::new();
        let usable = self.methods.iter().filter(|method| is_usable(method));
        usable.filter(|method| names.insert(&*method.name)).take(MOST_METHODS).collect()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "# What {} offers, as a scenario to start from. It is valid as it stands;",
            one_line(&self.url)
        )?;
        writeln!(out, "# look at what every method is called with, then: wirebench run FILE")?;
        for note in &self.notes {
            writeln!(out, "# Note: {}.", one_line(note))?;
        }
        let mixed = self.mixed();
        let usable = self.methods.iter().filter(|method| is_usable(method)).count();
        if mixed.len() < usable {
            writeln!(
                out,
                "# Note: {} of its methods are left out: a scenario has at most {MOST_METHODS}, each name once.",
                usable - mixed.len()
            )?;
        }
        writeln!(out, "\nname = {}", quoted(&title(&self.name)))?;
        for method in self.methods.iter().filter(|method| !is_usable(method)).take(MOST_METHODS) {
            write_left_out(out, method)?;
        }
        for method in &mixed {
            write_method(out, method)?;
        }
        writeln!(out, "\n# How often each method is called, in relation to the others.\n[mix.weights]")?;
        for method in &mixed {
            // Methods whose arguments nobody told would only measure errors.
            let weight =
                u8::from(method.params.is_some() || mixed.iter().all(|method| method.params.is_none()));
            writeln!(out, "{} = {weight}", key(&method.name))?;
        }
        writeln!(
            out,
            "\n[load]\nclosed = {{ concurrency = 1 }}   # calls in flight; or: open = {{ rate_per_s = 100 }}"
        )?;
        writeln!(out, "duration = \"5s\"\nrounds = 3\n\n[backends.server]\nurl = {}", quoted(&self.url))?;
        for line in &self.backend_lines {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// Whether the scenario can hold the method: see `check_method_name` of the reader.
fn is_usable(method: &SkeletonMethod) -> bool {
    let name = &method.name;
    method.obstacle.is_none()
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character))
        && name.len() <= LONGEST_NAME
        && method.params.iter().flatten().all(|param| has_good_name(param) && has_good_names(&param.ty))
        && has_good_names(&method.returns)
}

/// See `check_name` of the reader.
fn has_good_name(field: &Field) -> bool {
    let bad = |character: char| character.is_control() || character.is_whitespace();
    (1..=LONGEST_NAME).contains(&field.name.chars().count()) && !field.name.chars().any(bad)
}

fn has_good_names(ty: &Type) -> bool {
    match ty {
        Type::List(of) => has_good_names(of),
        Type::Struct(fields) => fields.iter().all(|field| has_good_name(field) && has_good_names(&field.ty)),
        _ => true,
    }
}

/// A scenario's name: what the server calls itself, without what a name cannot hold.
fn title(name: &str) -> String {
    let name: String = one_line(name).trim().chars().take(LONGEST_TITLE).collect();
    if name.is_empty() { "my service".into() } else { name }
}

fn write_help(out: &mut String, method: &SkeletonMethod) -> std::fmt::Result {
    writeln!(out)?;
    for line in method.help.lines().filter(|line| !line.trim().is_empty()).take(HELP_LINES) {
        writeln!(out, "# {}", one_line(line.trim()))?;
    }
    Ok(())
}

fn write_left_out(out: &mut String, method: &SkeletonMethod) -> std::fmt::Result {
    write_help(out, method)?;
    let why = method.obstacle.as_deref().unwrap_or("a scenario has no place for its names");
    writeln!(out, "# {} is left out: {}.", one_line(&method.name), one_line(why))
}

fn write_method(out: &mut String, method: &SkeletonMethod) -> std::fmt::Result {
    write_help(out, method)?;
    writeln!(out, "[methods.{}]", key(&method.name))?;
    match &method.params {
        None => {
            writeln!(out, "# Fill in its parameters, in order, each with any name and its type, as:")?;
            writeln!(out, "# params = {{ id = {{ int = {{ min = 1, max = 100 }} }}, name = \"text\" }}")?;
        }
        Some(params) if params.is_empty() => {}
        Some(params) => {
            if params.iter().any(|param| is_open(&param.ty)) {
                writeln!(out, "# The server does not tell every type: \"text\" is a guess.")?;
            }
            let param = |param: &Field| {
                let path = format!("params.{}", param.name);
                format!("{} = {}", key(&param.name), shape(&param.ty, &path, &method.samples))
            };
            let params: Vec<String> = params.iter().map(param).collect();
            writeln!(out, "params = {{ {} }}", params.join(", "))?;
        }
    }
    if method.streams {
        writeln!(out, "stream = {{ items = 1 }}   # how many items the server sends")?;
    }
    if is_open(&method.returns) {
        writeln!(out, "# Answers are not compared: say what they are (returns) to have them checked,")?;
        writeln!(out, "# by type (expect = \"type\") or by value (expect = \"equal\").")?;
        writeln!(out, "returns = \"any\"\nexpect = \"any\"")
    } else {
        writeln!(out, "returns = {}", shape(&method.returns, "returns", &method.samples))?;
        writeln!(out, "expect = \"type\"   # or \"equal\", with the value that must come back")
    }
}

/// Whether a type is open somewhere.
fn is_open(ty: &Type) -> bool {
    match ty {
        Type::Any => true,
        Type::List(of) => is_open(of),
        Type::Struct(fields) => fields.iter().any(|field| is_open(&field.ty)),
        _ => false,
    }
}

/// A type as scenarios spell it; `path` is where it stands.
fn shape(ty: &Type, path: &str, samples: &[(String, Value)]) -> String {
    match ty {
        Type::Any => "\"text\"".into(),
        Type::Struct(fields) if fields.is_empty() => "\"nil\"".into(),
        Type::List(of) => format!("{{ list = {{ of = {} }} }}", shape(of, &format!("{path}[]"), samples)),
        Type::Struct(fields) => {
            let field = |field: &Field| {
                let path = format!("{path}.{}", field.name);
                format!("{} = {}", key(&field.name), shape(&field.ty, &path, samples))
            };
            format!("{{ struct = {{ {} }} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        simple => match samples.iter().find(|(place, _)| place == path) {
            Some((_, Value::Text(text))) => format!("{{ {simple} = {{ value = {} }} }}", quoted(text)),
            Some((_, value)) => format!("{{ {simple} = {{ value = {} }} }}", value.to_plain_json()),
            None => format!("\"{simple}\""),
        },
    }
}

fn key(name: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Text that cannot leave its comment.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tests::Fixed;
    use crate::scenario::{Expect, Returns, Scenario};

    fn method(name: &str, params: Option<Vec<Field>>, returns: Type) -> SkeletonMethod {
        SkeletonMethod {
            name: name.into(),
            params,
            returns,
            streams: false,
            obstacle: None,
            samples: Vec::new(),
            help: String::new(),
        }
    }

    fn skeleton(methods: Vec<SkeletonMethod>) -> Skeleton {
        Skeleton {
            name: "a \"name\"".into(),
            url: "grpc+http://127.0.0.1:1".into(),
            backend_lines: vec!["proto = \"a.proto\"".into()],
            methods,
            notes: vec!["two\nlines".into()],
        }
    }

    #[test]
    fn more_methods_than_a_scenario_holds_are_left_out_with_a_note() {
        let mut methods: Vec<SkeletonMethod> =
            (0..1_000).map(|number| method(&format!("m{number}"), Some(vec![]), Type::Int)).collect();
        methods.insert(1, methods[0].clone());
        let text = skeleton(methods).to_toml();
        let scenario = Scenario::parse("s.toml", &text, &Fixed).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(scenario.methods.len(), MOST_METHODS);
        assert_eq!(&*scenario.methods[1].name, "m1");
        assert!(text.contains("# Note: 745 of its methods are left out"), "{text}");
    }

    #[test]
    fn a_servers_name_becomes_one_that_a_scenario_may_have() {
        for (name, expected) in [
            ("bell\u{7} and\nline".to_owned(), "bell  and line".to_owned()),
            ("é".repeat(500), "é".repeat(LONGEST_TITLE)),
            (" \u{1b}\t".into(), "my service".into()),
        ] {
            let skeleton = Skeleton { name, ..skeleton(vec![method("m", Some(vec![]), Type::Int)]) };
            let scenario = Scenario::parse("s.toml", &skeleton.to_toml(), &Fixed);
            assert_eq!(scenario.unwrap_or_else(|error| panic!("{error}")).name, expected);
        }
    }

    #[test]
    fn whatever_a_server_says_becomes_a_valid_scenario() {
        let nested = Type::Struct(vec![
            Field::new("color", Type::Text),
            Field::new("odd.name", Type::List(Box::new(Type::Float))),
            Field::new("nothing", Type::Struct(vec![])),
        ]);
        let mut typed = method("store.it", Some(vec![Field::new("order", nested.clone())]), nested);
        typed.samples.push(("params.order.color".into(), Value::Text("RED \\ \"".into())));
        typed.help = "first\nsecond\u{7}\n\nthird\nfourth".into();
        typed.streams = true;
        let obstacle =
            SkeletonMethod { obstacle: Some("it streams\n[oops]".into()), ..method("up", None, Type::Nil) };
        let skeleton = skeleton(vec![
            typed,
            method("silent", None, Type::Any),
            method("half", Some(vec![Field::new("a", Type::Any)]), Type::List(Box::new(Type::Any))),
            method("no spaces, please", None, Type::Nil),
            method("odd_names", Some(vec![Field::new("a b", Type::Int)]), Type::Nil),
            method("long_names", None, Type::Struct(vec![Field::new(&"x".repeat(101), Type::Int)])),
            obstacle,
        ]);
        let text = skeleton.to_toml();
        let scenario = Scenario::parse("s.toml", &text, &Fixed).unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<&str> = scenario.methods.iter().map(|method| &*method.name).collect();
        assert_eq!(names, ["store.it", "silent", "half"]);
        assert_eq!(scenario.methods[0].expect, Expect::Type);
        assert_eq!(scenario.methods[1].returns, Returns::Open);
        assert!(text.contains("# up is left out: it streams [oops]."), "{text}");
        // A method whose arguments nobody told is there, but not called.
        assert!(text.contains("silent = 0") && text.contains("half = 1"), "{text}");
    }

    #[test]
    fn a_server_without_methods_gives_no_scenario() {
        assert!(!skeleton(vec![method("not a name", None, Type::Nil)]).is_callable());
    }

    #[test]
    fn the_scenario_from_nothing_is_valid() {
        assert!(Scenario::parse("init.toml", INIT, &Fixed).is_ok());
    }
}

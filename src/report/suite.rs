//! JUnit XML, as CI systems read it: the elements and attributes of the Jenkins schema (junit-10.xsd).

use std::fmt::Write as _;

use super::text::{block, line};

/// The longest name.
const MAX_NAME: usize = 300;
/// The longest message of a result.
const MAX_MESSAGE: usize = 500;

/// How a test case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// Well.
    Passed,
    /// A regression, or a gate that is not met.
    Failure(String),
    /// A measurement that does not count.
    Error(String),
    /// Neither can be said, or it was left out.
    Skipped(String),
}

/// A test case: one gate.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// What it belongs to.
    pub class: String,
    /// The gate.
    pub name: String,
    pub ended: Ended,
    /// The numbers.
    pub body: String,
}

/// A suite of gates.
#[derive(Debug, Clone)]
pub(super) struct Suite {
    pub name: String,
    /// RFC 3339; the schema wants it without zone and fraction.
    pub started_at: String,
    pub elapsed_s: f64,
    pub properties: Vec<(&'static str, String)>,
    pub cases: Vec<Case>,
}

/// Writes a suite.
pub(super) fn junit(suite: &Suite) -> String {
    let count = |of: fn(&Ended) -> bool| suite.cases.iter().filter(|case| of(&case.ended)).count();
    let failures = count(|ended| matches!(ended, Ended::Failure(_)));
    let errors = count(|ended| matches!(ended, Ended::Error(_)));
    let skipped = count(|ended| matches!(ended, Ended::Skipped(_)));
    let (name, tests) = (attribute(&suite.name, MAX_NAME), suite.cases.len());
    let time = format!("{:.3}", suite.elapsed_s.max(0.0));
    let timestamp: String = suite.started_at.chars().take(19).collect();
    let timestamp = attribute(&timestamp, 19);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"wirebench\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{time}\">"
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\" time=\"{time}\" timestamp=\"{timestamp}\">"
    );
    if !suite.properties.is_empty() {
        xml.push_str("    <properties>\n");
        for (name, value) in &suite.properties {
            let value = attribute(value, MAX_MESSAGE);
            let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{value}\"/>");
        }
        xml.push_str("    </properties>\n");
    }
    for case in &suite.cases {
        push_case(&mut xml, case);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn push_case(xml: &mut String, case: &Case) {
    let (class, name) = (attribute(&case.class, MAX_NAME), attribute(&case.name, MAX_NAME));
    let _ = writeln!(xml, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\">");
    let body = escaped(&block(&case.body));
    let (element, message) = match &case.ended {
        Ended::Passed => (None, ""),
        Ended::Failure(message) => (Some("failure"), message.as_str()),
        Ended::Error(message) => (Some("error"), message.as_str()),
        Ended::Skipped(message) => (Some("skipped"), message.as_str()),
    };
    let message = attribute(message, MAX_MESSAGE);
    match element {
        None => {}
        // A skipped case has a message and no text of its own.
        Some("skipped") => {
            let _ = writeln!(xml, "      <skipped message=\"{message}\"/>");
        }
        Some(element) => {
            let _ =
                writeln!(xml, "      <{element} message=\"{message}\" type=\"{element}\">{body}</{element}>");
        }
    }
    if !matches!(element, Some("failure" | "error")) && !body.is_empty() {
        let _ = writeln!(xml, "      <system-out>{body}</system-out>");
    }
    xml.push_str("    </testcase>\n");
}

fn attribute(text: &str, max_chars: usize) -> String {
    escaped(&line(text, max_chars)).replace('\n', " ")
}

/// XML 1.0 has no way to write most control characters; `line` and `block` took them out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            // The two code points that no XML document may hold beside control characters.
            '\u{FFFE}' | '\u{FFFF}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
pub(super) mod tests {
    use quick_xml::events::{BytesStart, Event};

    use super::*;

    /// What junit-10.xsd allows of what we write: an element's parents, and its attributes with those
    /// that must be there.
    const ELEMENTS: &[(&str, &[&str], &[&str], &[&str])] = &[
        ("testsuites", &[""], &["name", "time", "tests", "failures", "errors", "disabled"], &[]),
        (
            "testsuite",
            &["testsuites"],
            &[
                "name",
                "tests",
                "failures",
                "errors",
                "skipped",
                "time",
                "timestamp",
                "hostname",
                "id",
                "package",
            ],
            &["name", "tests"],
        ),
        ("properties", &["testsuite"], &[], &[]),
        ("property", &["properties"], &["name", "value"], &["name", "value"]),
        ("testcase", &["testsuite"], &["name", "classname", "time", "assertions", "status"], &["name"]),
        ("failure", &["testcase"], &["message", "type"], &[]),
        ("error", &["testcase"], &["message", "type"], &[]),
        ("skipped", &["testcase"], &["message", "type"], &[]),
        ("system-out", &["testcase"], &[], &[]),
    ];

    fn attributes(element: &BytesStart<'_>) -> Vec<(String, String)> {
        let of = |attribute: quick_xml::events::attributes::Attribute<'_>| {
            let name = attribute.key.as_ref().to_owned();
            (name, attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned())
        };
        element.attributes().map(|attribute| of(attribute.unwrap())).collect()
    }

    /// Reads JUnit XML strictly and gives `(tests, failures, errors, skipped)`, which the attributes must
    /// say too.
    pub(in crate::report) fn read_strictly(xml: &str) -> [usize; 4] {
        let mut reader = quick_xml::Reader::from_str(xml);
        let mut open: Vec<String> = Vec::new();
        let mut said = [String::new(), String::new(), String::new(), String::new()];
        let mut counted = [0; 4];
        loop {
            let event = reader.read_event().unwrap();
            let (element, closes) = match &event {
                Event::Start(element) => (element, false),
                Event::Empty(element) => (element, true),
                Event::End(_) => {
                    open.pop().unwrap();
                    continue;
                }
                Event::Eof => break,
                Event::Text(_) | Event::GeneralRef(_) | Event::Decl(_) => continue,
                other => panic!("{other:?}"),
            };
            let name = element.name().as_ref().to_owned();
            let (_, parents, allowed, required) =
                ELEMENTS.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("<{name}>"));
            let parent = open.last().map_or("", |parent| parent.as_str());
            assert!(parents.contains(&parent), "<{name}> in <{parent}>");
            let given = attributes(element);
            for (attribute, value) in &given {
                assert!(allowed.contains(&attribute.as_str()), "{name} {attribute}");
                if ["time", "tests", "failures", "errors", "skipped"].contains(&attribute.as_str()) {
                    assert!(value.parse::<f64>().is_ok(), "{attribute}={value}");
                }
            }
            assert!(
                required.iter().all(|needed| given.iter().any(|(known, _)| known == needed)),
                "{given:?}"
            );
            let value = |wanted: &str| {
                given.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()).unwrap()
            };
            match name.as_str() {
                "testsuite" => {
                    said = ["tests", "failures", "errors", "skipped"].map(value);
                    assert_eq!(value("timestamp").len(), 19);
                }
                "testcase" => counted[0] += 1,
                "failure" => counted[1] += 1,
                "error" => counted[2] += 1,
                "skipped" => counted[3] += 1,
                _ => {}
            }
            if !closes {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert_eq!(said, counted.map(|count| count.to_string()));
        counted
    }

    #[test]
    fn every_way_to_end_is_counted_and_hostile_texts_stay_texts() {
        let hostile = "]]><x a=\"1\">&\u{1b}[31m\u{0}\u{202e}\n'".to_owned();
        let case =
            |ended| Case { class: hostile.clone(), name: hostile.clone(), ended, body: hostile.clone() };
        let suite = Suite {
            name: hostile.clone(),
            started_at: "2023-11-14T22:13:20.123Z".into(),
            elapsed_s: 1.5,
            properties: vec![("seed", hostile.clone())],
            cases: vec![
                case(Ended::Passed),
                case(Ended::Failure(hostile.clone())),
                case(Ended::Error(hostile.clone())),
                case(Ended::Skipped(hostile.clone())),
            ],
        };
        assert_eq!(read_strictly(&junit(&suite)), [4, 1, 1, 1]);
    }
}

//! Errors in scenario files, shown with the line and a caret under the key.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Something is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file, as it was asked for.
    pub file: String,
    /// What is wrong.
    pub message: String,
    /// What is allowed or what to do.
    pub help: Option<String>,
    /// Where; `None` where the file could not be read at all.
    pub place: Option<Place>,
}

/// A place in a scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The bytes of the offending key (and its value, where they share a line).
    pub span: Range<usize>,
    /// The file's text.
    pub text: Arc<str>,
}

impl Place {
    /// The place of some bytes of a text. A span outside the text, or across a character, is moved
    /// to the nearest place that exists.
    #[must_use]
    pub fn new(text: &str, span: Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end.max(start));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..end,
            text: Arc::from(text),
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl ScenarioError {
    /// An error about the file itself.
    pub(super) fn of_file(file: &str, message: impl Into<String>, help: Option<&str>) -> Self {
        Self { file: file.into(), message: message.into(), help: help.map(str::to_owned), place: None }
    }

    /// The error as a person reads it: the message, the place, the line with a caret, what is
    /// allowed. With `color` it holds ANSI escapes; callers decide by terminal and `NO_COLOR`.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let title = Level::ERROR.primary_title(self.message.as_str());
        let group = match &self.place {
            Some(place) => {
                // A caret under the whole of a long span hides more than it shows.
                let line_end = place.text[place.span.start..]
                    .find(['\n', '\r'])
                    .map_or(place.text.len(), |newline| place.span.start + newline);
                let span = place.span.start..place.span.end.min(line_end);
                title.element(
                    Snippet::source(&*place.text)
                        .path(self.file.as_str())
                        .annotation(AnnotationKind::Primary.span(span)),
                )
            }
            None => title.element(annotate_snippets::Origin::path(self.file.as_str())),
        };
        let group = match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ScenarioError {}

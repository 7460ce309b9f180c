//! Texts of strangers, made fit for where they go; lines that fit, and texts that stay small.

use std::fmt::Write as _;

/// Whether a character is harmless in a line of text: no control character (an escape sequence could
/// rewrite the terminal) and no direction mark (it could turn the line around).
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// One line of at most `max_chars` characters; line ends and tabs become spaces, other control
/// characters and direction marks are dropped.
pub(super) fn line(text: &str, max_chars: usize) -> String {
    let mut plain = text
        .chars()
        .map(|character| if character.is_ascii_whitespace() { ' ' } else { character })
        .filter(|character| is_plain(*character));
    let mut line: String = plain.by_ref().take(max_chars).collect();
    if plain.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// Text of several lines, such as a scenario, without what is not plain.
pub(super) fn block(text: &str) -> String {
    text.chars().filter(|character| matches!(character, '\n' | '\t') || is_plain(*character)).collect()
}

/// A line in a GitHub table: what Markdown or HTML would take for its own is escaped.
pub(super) fn markdown(text: &str, max_chars: usize) -> String {
    let mut escaped = String::new();
    for character in line(text, max_chars).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A mention or a link to an issue would call people.
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A part of a file name.
pub(super) fn file_name(text: &str) -> String {
    let name: String = text
        .chars()
        .take(60)
        .map(|character| if character.is_ascii_alphanumeric() || character == '_' { character } else { '-' })
        .collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// Writes a sentence in lines of at most `columns` characters; later lines begin with `indent`.
pub(super) fn wrap(text: &mut String, sentence: &str, indent: &str, columns: usize) {
    let mut column = 0;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > columns {
            text.push('\n');
            text.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

/// A text that leaves out lines which no longer fit, and says how many.
pub(super) struct Limited {
    text: String,
    max_bytes: usize,
    left_out: usize,
}

impl Limited {
    /// Room for so many bytes, and a line more.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), max_bytes, left_out: 0 }
    }

    pub(super) fn push(&mut self, part: &str) {
        if self.text.len() + part.len() > self.max_bytes {
            self.left_out += 1;
        } else {
            self.text.push_str(part);
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.left_out > 0 {
            // Writing to a String cannot fail.
            let _ =
                write!(self.text, "\n{} lines did not fit; the other reports have them.\n", self.left_out);
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_rewrite_the_terminal_or_turn_around() {
        assert_eq!(line("a\u{1b}[31m\tb\r\nc\u{202e}d", 100), "a[31m b  cd");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
    }

    #[test]
    fn markdown_keeps_no_markup() {
        assert_eq!(markdown("<b>|`x`| @all #1", 100), "&lt;b&gt;\\|\\`x\\`\\| &#64;all &#35;1");
    }
}

//! Texts of strangers, made fit for where they go.

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

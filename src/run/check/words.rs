//! A command in one text, taken apart.

/// Takes a command apart as a shell does: at spaces, but not within quotes; a backslash takes the next
/// character as it is (not within single quotes). Nothing else of a shell: no variables, no patterns.
///
/// # Errors
/// A quote that is not closed, or nothing at all.
pub(super) fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let next = characters.next().ok_or("it ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a quote ({open}) is not closed"));
    }
    words.extend(word);
    if words.is_empty() { Err("there is no command".to_owned()) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_command_is_taken_apart_as_a_shell_would() {
        for (command, expected) in [
            ("./server --port {port}", &["./server", "--port", "{port}"][..]),
            ("  'a b'  \"c 'd'\" e\\ f '' ", &["a b", "c 'd'", "e f", ""]),
            (r#"x "a\"b" 'c\d'"#, &["x", "a\"b", "c\\d"]),
            ("a'b'c", &["abc"]),
        ] {
            assert_eq!(words(command).unwrap(), expected, "{command}");
        }
        for wrong in ["", "  ", "a 'b", "a \"b", "a \\"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}

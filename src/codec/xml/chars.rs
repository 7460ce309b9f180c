//! Which characters XML 1.0 carries, and how (W3C REC-xml, productions 2 `Char` and 2.11
//! "End-of-Line Handling").

use std::borrow::Cow;

/// What a byte of UTF-8 text needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    /// `&`, `<`, `>` and the carriage return, which a reader would turn into a newline.
    Escaped,
    Forbidden,
    /// The first byte of U+FFFE and U+FFFF, and of many others.
    Suspect,
}

static CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Plain; 256];
    let mut control = 0;
    while control < 0x20 {
        classes[control] = Class::Forbidden;
        control += 1;
    }
    classes[b'\t' as usize] = Class::Plain;
    classes[b'\n' as usize] = Class::Plain;
    classes[b'\r' as usize] = Class::Escaped;
    classes[b'&' as usize] = Class::Escaped;
    classes[b'<' as usize] = Class::Escaped;
    classes[b'>' as usize] = Class::Escaped;
    classes[0xEF] = Class::Suspect;
    classes
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Whether a block may have a byte that is not plain. Without a branch, so that it becomes vector
/// instructions: most text is long and plain.
fn is_unusual(block: &[u8]) -> bool {
    block.iter().fold(false, |found, &byte| {
        found | (byte < 0x20) | (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == 0xEF)
    })
}

/// The first byte from here on that is not plain.
fn special(bytes: &[u8], from: usize) -> Option<(usize, Class)> {
    let is_special = |byte: &u8| CLASSES[usize::from(*byte)] != Class::Plain;
    let mut from = from;
    let at = loop {
        let Some(block) = bytes.get(from..from + BLOCK) else {
            break from + bytes.get(from..)?.iter().position(is_special)?;
        };
        if is_unusual(block)
            && let Some(at) = block.iter().position(is_special)
        {
            break from + at;
        }
        from += BLOCK;
    };
    let class = match CLASSES[usize::from(bytes[at])] {
        Class::Suspect if matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])) => Class::Forbidden,
        class => class,
    };
    Some((at, class))
}

/// Appends text with its markup escaped. On a character that XML cannot carry, returns it.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) -> Result<(), char> {
    let bytes = text.as_bytes();
    let (mut done, mut from) = (0, 0);
    while let Some((at, class)) = special(bytes, from) {
        from = at + 1;
        match class {
            Class::Forbidden => return Err(text[at..].chars().next().unwrap_or('\0')),
            Class::Escaped => {
                out.extend_from_slice(&bytes[done..at]);
                out.extend_from_slice(match bytes[at] {
                    b'&' => b"&amp;",
                    b'<' => b"&lt;",
                    b'>' => b"&gt;",
                    _ => b"&#13;",
                });
                done = from;
            }
            Class::Plain | Class::Suspect => {}
        }
    }
    out.extend_from_slice(&bytes[done..]);
    Ok(())
}

/// The first character of a text that XML cannot carry.
pub(super) fn first_forbidden(text: &str) -> Option<char> {
    let mut from = 0;
    while let Some((at, class)) = special(text.as_bytes(), from) {
        if class == Class::Forbidden {
            return text[at..].chars().next();
        }
        from = at + 1;
    }
    None
}

/// Whether a character reference may stand for this character.
pub(super) fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..) && !matches!(character, '\u{FFFE}' | '\u{FFFF}')
}

/// The text that a piece of XML without references stands for: line ends become newlines. On a
/// forbidden character, returns it.
pub(super) fn normalized(text: &str) -> Result<Cow<'_, str>, char> {
    let (mut from, mut returns) = (0, false);
    while let Some((at, class)) = special(text.as_bytes(), from) {
        match class {
            Class::Forbidden => return Err(text[at..].chars().next().unwrap_or('\0')),
            _ => returns |= text.as_bytes()[at] == b'\r',
        }
        from = at + 1;
    }
    Ok(if returns { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_carriage_returns_are_escaped_and_nothing_else() {
        let mut out = Vec::new();
        push_escaped(&mut out, "a<b>&\r\n\t\"'ä\u{FEFF}\u{FFFD}\u{7F}\u{10FFFF}").unwrap();
        let expected = "a&lt;b&gt;&amp;&#13;\n\t\"'ä\u{FEFF}\u{FFFD}\u{7F}\u{10FFFF}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn control_characters_and_noncharacters_are_named() {
        for character in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            let text = format!("ok {character} x");
            assert_eq!(push_escaped(&mut Vec::new(), &text), Err(character));
            assert_eq!(first_forbidden(&text), Some(character));
            assert_eq!(normalized(&text), Err(character));
            assert!(!is_allowed(character));
        }
        for character in ['\t', '\n', '\r', ' ', '\u{7F}', '\u{FFFD}', '\u{10000}'] {
            assert_eq!(first_forbidden(&character.to_string()), None);
            assert!(is_allowed(character));
        }
    }

    #[test]
    fn line_ends_become_newlines() {
        assert_eq!(normalized("a\r\nb\rc\n").unwrap(), "a\nb\nc\n");
    }
}

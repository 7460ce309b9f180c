//! Text as XML.

/// Whether XML 1.0 has a place for a character (production 2, `Char`).
pub(super) fn is_carried(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..) && !matches!(character, '\u{FFFE}' | '\u{FFFF}')
}

/// Appends text. A character that XML cannot carry becomes U+FFFD: the text of a fault may hold
/// anything, and a fault without its text helps nobody.
pub(super) fn push(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            // A reader would make a newline of it.
            '\r' => out.extend_from_slice(b"&#13;"),
            other => {
                let carried = if is_carried(other) { other } else { char::REPLACEMENT_CHARACTER };
                out.extend_from_slice(carried.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_what_xml_cannot_carry_is_replaced() {
        let mut out = Vec::new();
        push("<a&b>\r\n\0é\u{FFFF}", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "&lt;a&amp;b&gt;&#13;\n\u{FFFD}é\u{FFFD}");
    }
}

//! Cuts the codec's bytes out of a document.
//!
//! Each kind of document has two ways: comparing bytes, for what the usual implementations write, and
//! quick-xml for everything else. The first hands the codec a slice that is right exactly if the
//! codec, which checks every end tag, finds it whole. quick-xml does not look at DOCTYPE, a second
//! root, text outside elements, unclosed elements at the end, undefined entities and the declared
//! encoding: those are refused here.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::escape::is_carried;

/// A call taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Call<'a> {
    pub(super) method: Cow<'a, str>,
    /// `<params>…</params>` or nothing, with white space and comments around.
    pub(super) arguments: &'a [u8],
}

/// A response taken apart.
#[derive(Debug, PartialEq)]
pub(super) enum Response<'a> {
    /// `<value>…</value>` of the one parameter.
    Answer(&'a [u8]),
    /// `<value>…</value>` of the fault.
    Fault(&'a [u8]),
}

/// Takes a call apart.
///
/// # Errors
/// The rule that the document breaks.
pub(super) fn call(bytes: &[u8]) -> Result<Call<'_>, String> {
    if let Some(call) = usual_call(bytes) {
        return Ok(call);
    }
    let mut document = Document::new(bytes)?;
    document.open(&["methodCall"])?;
    if document.open(&["methodName"])?.is_empty {
        return Err("the method has no name".into());
    }
    let method = document.text()?;
    let begin = document.position();
    let end = document.pass_to_end()?;
    document.finish()?;
    Ok(Call { method, arguments: bytes.get(begin..end).unwrap_or_default() })
}

/// Takes a response apart.
///
/// # Errors
/// The rule that the document breaks.
pub(super) fn response(bytes: &[u8]) -> Result<Response<'_>, String> {
    if let Some(value) = usual_answer(bytes) {
        return Ok(Response::Answer(value));
    }
    let mut document = Document::new(bytes)?;
    document.open(&["methodResponse"])?;
    let kind = document.open(&["params", "fault"])?;
    if !kind.is_empty && kind.name == "params" {
        let param = document.open(&["param"])?;
        if !param.is_empty {
            let begin = document.position();
            let end = document.pass_to_end()?;
            document.close("params")?;
            document.close("methodResponse")?;
            document.finish()?;
            return Ok(Response::Answer(bytes.get(begin..end).unwrap_or_default()));
        }
    } else if !kind.is_empty {
        let begin = document.position();
        let end = document.pass_to_end()?;
        document.close("methodResponse")?;
        document.finish()?;
        return Ok(Response::Fault(bytes.get(begin..end).unwrap_or_default()));
    }
    Err("a response without a value".into())
}

/// A call whose head and end are written plainly.
fn usual_call(bytes: &[u8]) -> Option<Call<'_>> {
    let rest = after_declaration(bytes).trim_ascii_start().strip_prefix(b"<methodCall>")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"<methodName>")?;
    let (name, rest) = rest.split_at_checked(memchr::memchr(b'<', rest)?)?;
    let rest = rest.strip_prefix(b"</methodName>")?;
    let plain = name.iter().all(|byte| !byte.is_ascii_control() && *byte != b'&') && !name.is_empty();
    let method = std::str::from_utf8(name).ok().filter(|name| plain && name.chars().all(is_carried))?;
    let arguments = rest.trim_ascii_end().strip_suffix(b"</methodCall>")?;
    Some(Call { method: Cow::Borrowed(method), arguments })
}

/// The value of an answer that is written plainly around it.
fn usual_answer(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = after_declaration(bytes).trim_ascii();
    for (start, end) in [
        (&b"<methodResponse>"[..], &b"</methodResponse>"[..]),
        (b"<params>", b"</params>"),
        (b"<param>", b"</param>"),
    ] {
        rest = rest.strip_prefix(start)?.strip_suffix(end)?.trim_ascii();
    }
    Some(rest)
}

/// What follows a declaration of the usual forms. With any other in front, nothing usual follows.
fn after_declaration(bytes: &[u8]) -> &[u8] {
    let usual: [&[u8]; 4] = [
        b"<?xml version='1.0'?>",
        b"<?xml version=\"1.0\"?>",
        b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        b"<?xml version='1.0' encoding='utf-8'?>",
    ];
    usual.iter().find_map(|usual| bytes.strip_prefix(*usual)).unwrap_or(bytes)
}

/// A document read step by step.
struct Document<'a> {
    reader: Reader<&'a [u8]>,
    /// Bytes before the reader's first.
    skipped: usize,
}

/// An element whose start was read.
struct Opened<'n> {
    name: &'n str,
    is_empty: bool,
}

impl<'a> Document<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.starts_with(&[0xFE, 0xFF]) || bytes.starts_with(&[0xFF, 0xFE]) {
            return Err("the document is UTF-16; send UTF-8".into());
        }
        let bare = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut reader = Reader::from_reader(bare);
        reader.config_mut().check_comments = true;
        Ok(Self { reader, skipped: bytes.len() - bare.len() })
    }

    fn position(&self) -> usize {
        self.skipped + usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The next event but comments, processing instructions and the declaration.
    fn event(&mut self) -> Result<Event<'a>, String> {
        loop {
            let at = self.reader.buffer_position();
            match self.reader.read_event().map_err(|error| error.to_string())? {
                Event::Comment(_) | Event::PI(_) => {}
                Event::Decl(declaration) if at == 0 => {
                    let encoding = declaration.encoding().transpose().map_err(|error| error.to_string())?;
                    let encoding = encoding.unwrap_or(Cow::Borrowed("utf-8"));
                    if !["utf-8", "us-ascii"].iter().any(|known| encoding.eq_ignore_ascii_case(known)) {
                        return Err(format!("the document is in {encoding:?}; send UTF-8"));
                    }
                }
                Event::Decl(_) => return Err("an XML declaration that is not at the start".into()),
                Event::DocType(_) => return Err("a DOCTYPE, which is refused".into()),
                event => return Ok(event),
            }
        }
    }

    /// The next event but white space.
    fn markup(&mut self) -> Result<Event<'a>, String> {
        loop {
            match self.event()? {
                Event::Text(text) if is_blank(&text) => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err("text where only elements may stand".into());
                }
                event => return Ok(event),
            }
        }
    }

    /// Reads the start of an element of one of these names.
    fn open<'n>(&mut self, names: &[&'n str]) -> Result<Opened<'n>, String> {
        let (element, is_empty) = match self.markup()? {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            _ => return Err(format!("expected <{}>", names.join("> or <"))),
        };
        let found = element.name();
        let found: &str = found.as_ref();
        match names.iter().find(|name| **name == found) {
            Some(name) => Ok(Opened { name, is_empty }),
            None => Err(format!("expected <{}>, found <{found}>", names.join("> or <"))),
        }
    }

    /// Reads the end of the element. (quick-xml checks the name.)
    fn close(&mut self, name: &str) -> Result<(), String> {
        match self.markup()? {
            Event::End(_) => Ok(()),
            _ => Err(format!("expected </{name}>")),
        }
    }

    /// The text of an element, whose start was read, with its end.
    fn text(&mut self) -> Result<Cow<'a, str>, String> {
        let mut text = Cow::Borrowed("");
        loop {
            let piece = match self.event()? {
                Event::Text(piece) => piece.into_inner(),
                Event::CData(piece) => piece.into_inner(),
                Event::GeneralRef(reference) => match &*reference {
                    "amp" => "&".into(),
                    "lt" => "<".into(),
                    "gt" => ">".into(),
                    "quot" => "\"".into(),
                    "apos" => "'".into(),
                    name => match reference.resolve_char_ref().map_err(|error| error.to_string())? {
                        Some(character) => character.to_string().into(),
                        None => return Err(format!("the undefined entity {name:?}")),
                    },
                },
                Event::End(_) => return Ok(text),
                Event::Eof => return Err(unclosed()),
                _ => return Err("an element where only text may stand".into()),
            };
            if let Some(character) = piece.chars().find(|character| !is_carried(*character)) {
                return Err(format!("the forbidden character {character:?}"));
            }
            if text.is_empty() {
                text = piece;
            } else {
                text.to_mut().push_str(&piece);
            }
        }
    }

    /// Passes over the rest of an element, whose start was read, with its end. Returns where its
    /// end tag begins.
    fn pass_to_end(&mut self) -> Result<usize, String> {
        let mut depth = 0_usize;
        loop {
            let at = self.position();
            match self.event()? {
                Event::Start(_) => depth += 1,
                Event::End(_) if depth == 0 => return Ok(at),
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(unclosed()),
                _ => {}
            }
        }
    }

    /// Only comments and white space may follow.
    fn finish(&mut self) -> Result<(), String> {
        match self.markup()? {
            Event::Eof => Ok(()),
            _ => Err("a second element beside the root".into()),
        }
    }
}

fn unclosed() -> String {
    "the document ends within an element".into()
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(document: &str) -> (String, String) {
        let call = call(document.as_bytes()).unwrap();
        (call.method.into_owned(), String::from_utf8(call.arguments.to_vec()).unwrap())
    }

    #[test]
    fn what_python_writes_is_cut_out_by_comparing_bytes() {
        let python = "<?xml version='1.0'?>\n<methodCall>\n<methodName>sendObj</methodName>\n<params>\n<param>\n\
                      <value><string>a&lt;b&amp;c]]&gt;</string></value>\n</param>\n</params>\n</methodCall>\n";
        assert!(usual_call(python.as_bytes()).is_some());
        let (method, arguments) = called(python);
        assert_eq!(method, "sendObj");
        assert!(arguments.trim().starts_with("<params>") && arguments.trim().ends_with("</params>"));
        let python = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><nil/></value></param>\n\
                      </params>\n</methodResponse>\n";
        assert_eq!(usual_answer(python.as_bytes()), Some(&b"<value><nil/></value>"[..]));
    }

    #[test]
    fn both_ways_of_reading_agree() {
        let plain = "<?xml version='1.0'?><methodCall><methodName>a.b</methodName><params/></methodCall>";
        let same = [
            "<methodCall><methodName>a.b</methodName><params/></methodCall>",
            "<?xml version='1.0' encoding=\"us-ascii\"?><methodCall><methodName>a.b</methodName><params/></methodCall>",
            "\u{FEFF}<?xml version='1.0'?><methodCall><methodName>a.b</methodName><params/></methodCall>",
            "<!-- <methodCall> --><?pi?><methodCall x='y'> <methodName>a<!-- -->&#46;<![CDATA[b]]></methodName><params/></methodCall >",
            "<methodCall><methodName>a.b</methodName><params/></methodCall><!-- </methodCall> -->\n<?pi </methodCall>?>",
        ];
        for document in same {
            assert_eq!(called(document), called(plain), "{document}");
        }
        assert_eq!(
            called("<methodCall><methodName>a</methodName></methodCall>"),
            ("a".into(), String::new())
        );
        assert_eq!(called("<methodCall><methodName> a&amp;b\n</methodName> </methodCall>").0, " a&b\n");
    }

    #[test]
    fn what_is_no_call_is_refused_with_its_reason() {
        let cases = [
            ("", "expected <methodCall>"),
            ("hello", "text where only elements"),
            ("<methodCall>", "expected <methodName>"),
            ("<methodCall><methodName>a</methodName>", "ends within"),
            ("<methodCall><methodName>a</methodName><params></methodCall>", ""),
            ("<methodCall><methodName>a", "ends within"),
            ("<methodCall><methodName/></methodCall>", "no name"),
            ("<methodCall><methodName><b/></methodName></methodCall>", "only text"),
            ("<methodCall><methodName>&nbsp;</methodName></methodCall>", "undefined entity"),
            ("<methodCall><methodName>&#1;</methodName></methodCall>", "forbidden character"),
            ("<methodCall><methodName>\u{1}</methodName></methodCall>", "forbidden character"),
            ("<methodCall><params/></methodCall>", "expected <methodName>"),
            ("<methodResponse/>", "expected <methodCall>"),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><methodCall><methodName>a</methodName></methodCall>", "DOCTYPE"),
            ("<?xml version='1.0' encoding='latin-1'?><methodCall/>", "latin-1"),
            ("<a/><?xml version='1.0'?>", "expected <methodCall>"),
            ("<methodCall><methodName>a</methodName></methodCall><methodCall/>", "second element"),
            ("<methodCall><methodName>a</methodName></methodCall>x", "only elements"),
            ("x<methodCall><methodName>a</methodName></methodCall>", "only elements"),
            ("<methodCall>x<methodName>a</methodName></methodCall>", "only elements"),
        ];
        for (document, reason) in cases {
            match call(document.as_bytes()) {
                Err(found) => assert!(found.contains(reason), "{document}: {found}"),
                // The bytes look usual: then the codec finds the damage in the slice.
                Ok(call) => assert_eq!((reason, call.arguments), ("", &b"<params>"[..]), "{document}"),
            }
        }
        for bytes in
            [&b"\xFF\xFE<\0"[..], b"\xFE\xFF\0<", b"<methodCall><methodName>\xFF</methodName></methodCall>"]
        {
            assert!(call(bytes).is_err());
        }
    }

    #[test]
    fn a_response_is_an_answer_or_a_fault() {
        let plain = "<methodResponse><params><param><value>x</value></param></params></methodResponse>";
        let expected = Response::Answer(b"<value>x</value>");
        assert_eq!(response(plain.as_bytes()), Ok(expected));
        let odd =
            "<methodResponse ><params><param><value>x</value></param><!-- --></params></methodResponse>";
        assert_eq!(response(odd.as_bytes()), Ok(Response::Answer(b"<value>x</value>")));
        let fault = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value/></fault>\n</methodResponse>\n";
        assert_eq!(response(fault.as_bytes()), Ok(Response::Fault(b"\n<value/>")));
        for document in [
            "<methodResponse/>",
            "<methodResponse><params/></methodResponse>",
            "<methodResponse><params><param/></params></methodResponse>",
            "<methodResponse ><params><param><value/></param><param><value/></param></params></methodResponse>",
            "<methodResponse><fault/></methodResponse>",
            "<methodResponse><fault><value/></fault><params/></methodResponse>",
            "<methodResponse><fault><value/></fault></methodResponse>x",
            "<methodCall/>",
        ] {
            assert!(response(document.as_bytes()).is_err(), "{document}");
        }
    }
}

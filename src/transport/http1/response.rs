//! Reads one HTTP/1 response (RFC 9112) from bytes as they arrive. Pure: no socket, no clock.

use std::mem::MaybeUninit;

use super::chunked::Chunked;
use crate::transport::gzip::{self, Coding, GzipError};
use crate::transport::{Status, StatusKind, TransportError};

/// A response's head, at most.
pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;
/// How much of an error's text is kept.
const MAX_TEXT_BYTES: usize = 4096;
/// Its header lines, at most.
const MAX_HEADERS: usize = 100;

/// How the body's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked(Chunked),
    UntilClose,
}

#[derive(Debug)]
struct Head {
    status: Status,
    framing: Framing,
    keep_alive: bool,
    packed: bool,
    /// Whether the body of an error is a page for browsers.
    html: bool,
}

/// A reader of one response after the other; keeps its buffers.
#[derive(Debug)]
pub(super) struct Reader {
    /// What has arrived and is not yet used up. In a body of known length, all of it so far.
    pub(super) buffer: Vec<u8>,
    head: Option<Head>,
    /// The data of a chunked body.
    chunked_body: Vec<u8>,
    /// What was in a packed body.
    unpacked: Vec<u8>,
    limit: usize,
    /// How much of `buffer` is known to hold no complete head.
    scanned: usize,
}

/// A response that is complete.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) status: Status,
    pub(super) body: &'a [u8],
    /// Whether the connection may carry another call.
    pub(super) keep_alive: bool,
    /// Whether bytes followed that no call asked for.
    pub(super) surplus: bool,
}

pub(super) fn too_large(limit: usize) -> TransportError {
    TransportError::Refused { reason: format!("the reply is larger than the {limit} bytes allowed") }
}

impl Reader {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            head: None,
            chunked_body: Vec::new(),
            unpacked: Vec::new(),
            limit,
            scanned: 0,
        }
    }

    /// Whether any byte of a response has come.
    pub(super) fn has_begun(&self) -> bool {
        self.head.is_some() || !self.buffer.is_empty()
    }

    /// Takes note of what was put into `buffer`; `ended` says that no more will come. Hands the
    /// response to `deliver` once it is complete, and says whether it was.
    ///
    /// # Errors
    /// The peer broke a rule of HTTP, or the response is larger than allowed.
    pub(super) fn advance(
        &mut self,
        ended: bool,
        deliver: impl FnOnce(Response<'_>),
    ) -> Result<bool, TransportError> {
        while self.head.is_none() {
            let Some((length, head)) = parse_head(&self.buffer, self.scanned)? else {
                self.scanned = self.buffer.len();
                return Ok(false);
            };
            self.buffer.drain(..length);
            self.scanned = 0;
            self.head = head;
        }
        let Some(head) = &mut self.head else { return Ok(false) };
        let used = match &mut head.framing {
            Framing::Length(length) => {
                if *length > self.limit {
                    return Err(too_large(self.limit));
                }
                if self.buffer.len() < *length {
                    return Ok(false);
                }
                *length
            }
            Framing::Chunked(state) => {
                let used = state.decode(&self.buffer, &mut self.chunked_body, self.limit)?;
                if *state != Chunked::Done {
                    self.buffer.drain(..used);
                    return Ok(false);
                }
                used
            }
            Framing::UntilClose => {
                if self.buffer.len() > self.limit {
                    return Err(too_large(self.limit));
                }
                if !ended {
                    return Ok(false);
                }
                self.buffer.len()
            }
        };
        let Some(head) = self.head.take() else { return Ok(false) };
        let mut body = match head.framing {
            Framing::Chunked(_) => &self.chunked_body[..],
            _ => &self.buffer[..used],
        };
        // A body that is not there (204) is not packed, whatever the fields say.
        if head.packed && !body.is_empty() {
            self.unpacked.clear();
            gzip::unpack(body, self.limit, &mut self.unpacked).map_err(|error| match error {
                GzipError::TooLarge => too_large(self.limit),
                GzipError::Damaged(reason) => {
                    TransportError::protocol(format!("the reply's gzip is damaged: {reason}"))
                }
            })?;
            body = &self.unpacked;
        }
        let mut status = head.status;
        if status.kind != StatusKind::Ok && !head.html {
            let text = String::from_utf8_lossy(&body[..body.len().min(MAX_TEXT_BYTES)]);
            if !text.trim().is_empty() {
                status.message = text.trim().to_owned();
            }
        }
        deliver(Response { status, body, keep_alive: head.keep_alive, surplus: used < self.buffer.len() });
        self.buffer.clear();
        self.chunked_body.clear();
        self.scanned = 0;
        Ok(true)
    }
}

/// Parses a head if it is complete; an interim response (1xx) has a length and no [`Head`].
fn parse_head(buffer: &[u8], scanned: usize) -> Result<Option<(usize, Option<Head>)>, TransportError> {
    // A head can only end at a line end. Short heads are parsed at once so that garbage is seen early.
    let hopeless = buffer.len() > 4096 && memchr::memchr(b'\n', &buffer[scanned..]).is_none();
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = if hopeless {
        Ok(httparse::Status::Partial)
    } else {
        httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            buffer,
            &mut headers,
        )
    };
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
        Ok(httparse::Status::Partial) if buffer.len() <= MAX_HEAD_BYTES => return Ok(None),
        Ok(_) => {
            return Err(TransportError::protocol(format!(
                "the reply's head is larger than {MAX_HEAD_BYTES} bytes"
            )));
        }
        Err(error) => return Err(TransportError::protocol(format!("the reply is not HTTP: {error}"))),
    };
    let code = response.code.unwrap_or(0);
    match code {
        101 => return Err(TransportError::protocol("the server switched protocols unasked")),
        100..200 => return Ok(Some((length, None))),
        200..1000 => {}
        _ => return Err(TransportError::protocol(format!("the reply has the impossible status {code}"))),
    }
    let http_1_1 = response.version == Some(1);
    let fields = Fields::read(response.headers)?;
    let framing = match (code, fields.chunked, fields.length) {
        // No body, whatever the fields say: RFC 9112 §6.3.
        (204 | 304, ..) => Framing::Length(0),
        (_, true, Some(_)) => {
            return Err(TransportError::protocol("the reply has a content-length and a transfer-encoding"));
        }
        (_, true, None) if !http_1_1 => {
            return Err(TransportError::protocol("the reply is chunked, which HTTP/1.0 has not"));
        }
        (_, true, None) => Framing::Chunked(Chunked::Size),
        (_, false, Some(length)) => Framing::Length(length),
        (_, false, None) => Framing::UntilClose,
    };
    let keep_alive = framing != Framing::UntilClose && !fields.close && (http_1_1 || fields.keep_alive);
    let kind = super::kind_of(code);
    // "OK" tells nobody anything and would be an allocation per call.
    let message = if kind == StatusKind::Ok { "" } else { response.reason.unwrap_or_default() };
    let status = Status { kind, code: Some(code.into()), message: message.into() };
    let (packed, html) = (fields.packed, fields.html);
    Ok(Some((length, Some(Head { status, framing, keep_alive, packed, html }))))
}

/// The header fields that matter to a connection.
#[derive(Default)]
struct Fields {
    length: Option<usize>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    packed: bool,
    html: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, TransportError> {
        let mut fields = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = parse_length(header.value)?;
                if fields.length.is_some_and(|other| other != length) {
                    return Err(TransportError::protocol("the reply has two different content-lengths"));
                }
                fields.length = Some(length);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                if fields.chunked || !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(TransportError::protocol(format!(
                        "the reply has the unsupported transfer-encoding {:?}",
                        String::from_utf8_lossy(header.value)
                    )));
                }
                fields.chunked = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                for token in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    fields.close |= token.eq_ignore_ascii_case(b"close");
                    fields.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            } else if header.name.eq_ignore_ascii_case("content-encoding") {
                fields.packed = match Coding::of(header.value) {
                    Coding::Identity => fields.packed,
                    Coding::Gzip if !fields.packed => true,
                    Coding::Gzip | Coding::Unknown => {
                        return Err(TransportError::protocol(format!(
                            "the reply has the unsupported content-encoding {:?}",
                            String::from_utf8_lossy(header.value)
                        )));
                    }
                };
            } else if header.name.eq_ignore_ascii_case("content-type") {
                fields.html = header.value.trim_ascii_start().starts_with(b"text/html");
            }
        }
        Ok(fields)
    }
}

fn parse_length(value: &[u8]) -> Result<usize, TransportError> {
    let digits = value.trim_ascii();
    let length = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok());
    length.ok_or_else(|| {
        TransportError::protocol(format!(
            "the reply has the impossible content-length {:?}",
            String::from_utf8_lossy(value)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = (StatusKind, Option<u32>, Vec<u8>, bool, bool);

    fn read_in_steps(input: &[u8], step: usize, ended: bool) -> Result<Option<Answer>, TransportError> {
        let mut reader = Reader::new(1000);
        let mut answer = None;
        let mut pieces = input.chunks(step).peekable();
        while let Some(piece) = pieces.next() {
            reader.buffer.extend_from_slice(piece);
            let last = ended && pieces.peek().is_none();
            let done = reader.advance(last, |response| {
                answer = Some((
                    response.status.kind,
                    response.status.code,
                    response.body.to_vec(),
                    response.keep_alive,
                    response.surplus,
                ));
            })?;
            assert_eq!(done, answer.is_some());
            if done {
                break;
            }
        }
        Ok(answer)
    }

    #[test]
    fn a_response_is_read_at_every_split() {
        let ok = |body: &[u8], keep| Some((StatusKind::Ok, Some(200), body.to_vec(), keep, false));
        for (input, ended, expected) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], false, ok(b"hello", true)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, ok(b"", true)),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nhi", false, ok(b"hi", true)),
            (b"HTTP/1.1 200 OK\r\nConnection: a, Close\r\nContent-Length: 2\r\n\r\nhi", false, ok(b"hi", false)),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false, ok(b"hi", false)),
            (
                b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
                false,
                ok(b"hi", true),
            ),
            (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", true, ok(b"until the end", false)),
            (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", false, None),
            (
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                false,
                ok(b"abcde", true),
            ),
            (
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
                false,
                Some((StatusKind::UnknownMethod, Some(404), b"nope".to_vec(), true, false)),
            ),
            (
                b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
                false,
                Some((StatusKind::Other, Some(204), Vec::new(), true, false)),
            ),
        ] {
            for step in 1..=input.len() {
                let answer = read_in_steps(input, step, ended).unwrap();
                assert_eq!(answer, expected, "{} by {step}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_not_http_is_refused() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(MAX_HEAD_BYTES));
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_HEAD_BYTES));
        for input in [
            &b"\x00\x01\x02"[..],
            b"SSH-2.0-OpenSSH",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 042 What\r\n\r\n",
            many.as_bytes(),
            long.as_bytes(),
            endless.as_bytes(),
        ] {
            let answer = read_in_steps(input, input.len(), false);
            assert!(answer.is_err(), "{}: {answer:?}", input[..input.len().min(80)].escape_ascii());
        }
    }

    #[test]
    fn bytes_after_the_response_are_noticed() {
        let answer = read_in_steps(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", 1000, false).unwrap();
        assert!(answer.unwrap().4);
    }
}

//! The reply of one call as a gRPC client reads it: headers, messages, trailers with the status.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::{HeaderMap, StatusCode};

use super::framing::Deframer;
use crate::transport::grpc::{self, Encoding};
use crate::transport::{Status, TransportError};

/// One reply after the other; keeps its buffer.
#[derive(Default)]
pub(super) struct Reply {
    stage: Stage,
    deframer: Deframer,
    /// The server has said that it did not look at the call.
    is_unseen: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    Nothing,
    Waiting(ResponseFuture),
    Reading(RecvStream, Encoding),
}

/// How far a reply is.
pub(super) enum Progress {
    Pending,
    Ended(Status),
    /// The server takes no more calls and did not look at this one.
    Unseen(TransportError),
    Failed(TransportError),
}

impl Reply {
    pub(super) fn expect(&mut self, response: ResponseFuture) {
        self.stage = Stage::Waiting(response);
        self.is_unseen = false;
    }

    pub(super) fn clear(&mut self) {
        self.stage = Stage::Nothing;
        self.deframer.clear();
    }

    /// Reads what has come and hands over the messages.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
        mut deliver: impl FnMut(&[u8]),
    ) -> Progress {
        match self.poll_end(cx, limit, &mut deliver) {
            Poll::Pending => Progress::Pending,
            Poll::Ready(Ok(status)) => Progress::Ended(status),
            Poll::Ready(Err(error)) if self.is_unseen => Progress::Unseen(error),
            Poll::Ready(Err(error)) => Progress::Failed(error),
        }
    }

    fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<Status, TransportError>> {
        loop {
            match &mut self.stage {
                Stage::Nothing => return Poll::Pending,
                Stage::Waiting(response) => {
                    let response = std::task::ready!(Pin::new(response).poll(cx)).map_err(|error| {
                        // A GOAWAY names the last stream that the server looks at (RFC 9113, 6.8).
                        self.is_unseen = error.is_go_away() && error.is_remote();
                        TransportError::reset(error)
                    })?;
                    let (head, body) = response.into_parts();
                    // Trailers only. Whether the stream has ended does not matter: a server that refuses a
                    // long request resets the stream right after.
                    if let Some(status) = status_of(&head.headers)? {
                        return Poll::Ready(Ok(status));
                    }
                    if head.status != StatusCode::OK {
                        let reason = format!("the server answered with HTTP status {}", head.status);
                        return Poll::Ready(Err(TransportError::protocol(reason)));
                    }
                    if let Some(page) = page_type(&head.headers) {
                        let reason = format!("the server answered with {page}: it is no gRPC server");
                        return Poll::Ready(Err(TransportError::protocol(reason)));
                    }
                    self.stage = Stage::Reading(body, Encoding::of(&head.headers));
                }
                Stage::Reading(body, encoding) => match std::task::ready!(body.poll_data(cx)) {
                    Some(Ok(piece)) => {
                        body.flow_control().release_capacity(piece.len()).map_err(TransportError::reset)?;
                        let fed = self.deframer.feed(&piece, *encoding, limit, &mut *deliver);
                        fed.map_err(TransportError::from)?;
                    }
                    Some(Err(error)) => return Poll::Ready(Err(TransportError::reset(error))),
                    None => {
                        let trailers =
                            std::task::ready!(body.poll_trailers(cx)).map_err(TransportError::reset)?;
                        let status = trailers.as_ref().map(status_of).transpose()?.flatten();
                        let Some(status) = status else {
                            let reason = "the reply ended without a grpc-status";
                            return Poll::Ready(Err(TransportError::protocol(reason)));
                        };
                        if !self.deframer.is_between_messages() {
                            let reason = "the reply ended in the middle of a message";
                            return Poll::Ready(Err(TransportError::protocol(reason)));
                        }
                        return Poll::Ready(Ok(status));
                    }
                },
            }
        }
    }
}

/// The media type of a page for people, which is what other servers answer with. XML is what a pair of
/// ours may carry.
fn page_type(fields: &HeaderMap) -> Option<&str> {
    let media_type = fields.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    ["text/html", "text/plain"].iter().any(|page| media_type.starts_with(page)).then_some(media_type)
}

/// The status in a reply's trailers, if it is there.
fn status_of(fields: &HeaderMap) -> Result<Option<Status>, TransportError> {
    let Some(code) = fields.get("grpc-status") else { return Ok(None) };
    let number = code.to_str().ok().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| TransportError::protocol(format!("{code:?} is no grpc-status")))?;
    let message = fields.get("grpc-message").map(|text| grpc::decode_message(text.as_bytes()));
    Ok(Some(grpc::status(number, message.unwrap_or_default())))
}

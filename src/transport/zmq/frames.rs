//! A message as ZMTP frames, and how many bytes it takes on the wire.

use std::collections::VecDeque;

use bytes::Bytes;
use zeromq::ZmqMessage;

/// What each end says when a connection opens: a greeting of 64 bytes and a READY command with the
/// one property `Socket-Type`, whose value (`DEALER`, `ROUTER`) has 6 bytes (ZMTP 3.0, RFC 23).
pub(super) const HANDSHAKE_BYTES: u64 = 64 + 2 + (1 + 5) + (1 + 11) + (4 + 6);

/// Bytes of a frame on the wire: a flag byte, a length of one byte up to 255 and of eight beyond,
/// and the body.
fn frame_bytes(body: &Bytes) -> u64 {
    let length = body.len() as u64;
    length + if length > 255 { 9 } else { 2 }
}

/// Bytes of a message on the wire, without its first `skipped` frames (a ROUTER's identity frame is
/// the socket's own).
pub(super) fn wire_bytes(message: &ZmqMessage, skipped: usize) -> u64 {
    message.iter().skip(skipped).map(frame_bytes).sum()
}

/// The frames `[identity?, "", id?, body]`. `None` never happens: a message with a body has a frame.
pub(super) fn pack(identity: Option<Bytes>, id: Option<u64>, body: Bytes) -> Option<ZmqMessage> {
    let mut frames = VecDeque::with_capacity(4);
    frames.extend(identity);
    frames.push_back(Bytes::new());
    frames.extend(id.map(|id| Bytes::copy_from_slice(&id.to_be_bytes())));
    frames.push_back(body);
    ZmqMessage::try_from(frames).ok()
}

/// The id (where there has to be one) and the body of a message, after `skipped` frames of the
/// socket's own. `None` where the frames are not there or the id is no eight bytes.
pub(super) fn unpack(message: &ZmqMessage, skipped: usize, id_frame: bool) -> Option<(Option<u64>, &Bytes)> {
    let last = message.len().checked_sub(1).filter(|last| *last >= skipped)?;
    let body = message.get(last)?;
    if !id_frame {
        return Some((None, body));
    }
    let before = last.checked_sub(1).filter(|before| *before >= skipped)?;
    let id = message.get(before)?.as_ref().try_into().ok()?;
    Some((Some(u64::from_be_bytes(id)), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(frames: &[&[u8]]) -> ZmqMessage {
        ZmqMessage::try_from(frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn a_message_is_an_empty_frame_the_id_and_the_body() {
        let packed = pack(None, Some(258), Bytes::from_static(b"x")).unwrap();
        assert_eq!(packed.into_vec(), [&b""[..], &[0, 0, 0, 0, 0, 0, 1, 2], b"x"]);
        let packed = pack(Some(Bytes::from_static(b"peer")), None, Bytes::from_static(b"x")).unwrap();
        assert_eq!(packed.into_vec(), [&b"peer"[..], b"", b"x"]);
    }

    #[test]
    fn the_wire_takes_two_bytes_a_frame_and_nine_beyond_255() {
        assert_eq!(wire_bytes(&message(&[b"", b"abc"]), 0), 2 + 5);
        assert_eq!(wire_bytes(&message(&[b"identity", b"", &[0; 255]]), 1), 2 + 257);
        assert_eq!(wire_bytes(&message(&[b"", &[0; 256]]), 0), 2 + 265);
    }

    #[test]
    fn an_id_frame_is_looked_for_only_where_it_belongs() {
        let id = [0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(unpack(&message(&[b"", &id, b"x"]), 0, true), Some((Some(9), &Bytes::from("x"))));
        assert_eq!(unpack(&message(&[&id, b"x"]), 0, true), Some((Some(9), &Bytes::from("x"))));
        assert_eq!(unpack(&message(&[b"", b"x"]), 0, false), Some((None, &Bytes::from("x"))));
        assert_eq!(unpack(&message(&[b"x"]), 0, false), Some((None, &Bytes::from("x"))));
        // The identity of a ROUTER is no id, however long it is.
        assert_eq!(unpack(&message(&[&id, b"x"]), 1, true), None);
        assert_eq!(unpack(&message(&[b"", b"short", b"x"]), 0, true), None);
        assert_eq!(unpack(&message(&[b"identity"]), 1, false), None);
    }
}

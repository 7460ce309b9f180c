//! The client's codecs, prepared once for all calls of a service.

use std::rc::Rc;

use super::ProtocolError;
use crate::codec::{CallCodec, Codec, EncodeError, ShapeCodec};
use crate::rpc::{CallError, Service, Value};

/// A client's codecs for one method.
#[derive(Debug)]
pub struct MethodCodecs {
    pub(super) params: Box<dyn ShapeCodec>,
    pub(super) result: Box<dyn ShapeCodec>,
    pub(super) streams: bool,
}

impl MethodCodecs {
    /// Prepares the codecs of every method of a service.
    ///
    /// # Errors
    /// A type that the codec cannot carry.
    pub fn prepare(codec: &dyn Codec, service: &Service) -> Result<Rc<[MethodCodecs]>, ProtocolError> {
        service
            .methods
            .iter()
            .map(|method| {
                let failed =
                    |source| ProtocolError::Unsupported { method: method.method.name.to_string(), source };
                let CallCodec { params, result } = codec.prepare_method(method).map_err(failed)?;
                Ok(MethodCodecs { params, result, streams: method.stream_items.is_some() })
            })
            .collect()
    }

    /// How many bytes the codec writes for these arguments.
    pub(super) fn request_bytes(&self, arguments: &[Value]) -> Result<u64, CallError> {
        let mut body = Vec::new();
        self.params.encode(arguments, &mut body).map_err(unencodable)?;
        Ok(body.len() as u64)
    }
}

pub(super) fn unencodable(error: EncodeError) -> CallError {
    CallError::Protocol { reason: format!("cannot encode the arguments: {error}") }
}

//! What a scenario may name, told from the registries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::proto_files::load_proto;
use crate::codec::{ProtoError, ProtoSchema};
use crate::protocol::registry::{self, ProtocolError};
use crate::protocol::{Protocol, Reach};
use crate::scenario::{Backend, BackendKind, Catalogue, Hosting};
use crate::{codec, transport};

/// The registries, as scenarios see them.
#[derive(Debug, Clone, Copy)]
pub struct Registry;

impl Catalogue for Registry {
    fn protocols(&self) -> Vec<&str> {
        registry::NAMED.iter().map(|row| row.name).collect()
    }

    fn codecs(&self) -> Vec<&str> {
        codec::ALL.iter().map(|entry| entry.name).collect()
    }

    fn transports(&self) -> Vec<&str> {
        transport::ALL.iter().map(|transport| transport.name()).collect()
    }

    fn schemes(&self) -> Vec<(&str, &str)> {
        let schemes = |row: &'static registry::Row| {
            [Some(row.scheme), row.unix_scheme].into_iter().flatten().map(|scheme| (scheme, row.name))
        };
        registry::NAMED.iter().flat_map(schemes).collect()
    }

    fn max_in_flight(&self, kind: &BackendKind) -> u32 {
        let name = match kind {
            BackendKind::Pair { transport, .. } => Some(&**transport),
            BackendKind::Protocol(name) => {
                registry::NAMED.iter().find(|row| row.name == *name).map(|row| row.transport)
            }
        };
        let limit = name.and_then(transport::by_name).map_or(1, |transport| transport.max_in_flight());
        u32::try_from(limit).unwrap_or(u32::MAX)
    }
}

/// Compiles a back end's `.proto`, so that client processes need not find it.
///
/// # Errors
/// What is wrong with it.
pub fn compile_proto(backend: &mut Backend) -> Result<(), ProtocolError> {
    if let Some(proto) = &mut backend.proto {
        let schema = load_proto(&proto.file, &proto.include).map_err(ProtocolError::Proto)?;
        if backend.service.is_none() {
            let (_, name) = schema.codec(None).map_err(ProtocolError::Proto)?;
            backend.service = Some(name);
        }
        proto.compiled = Some(STANDARD.encode(schema.to_bytes()));
    }
    Ok(())
}

/// The protocol of a back end, as its server wants it; a `.proto` must have been compiled.
///
/// # Errors
/// A name that does not exist, or a setting that the protocol has no place for.
pub fn protocol_of(backend: &Backend) -> Result<Protocol, ProtocolError> {
    let path = match &backend.hosting {
        Hosting::External(url) => url.path.clone(),
        Hosting::Subprocess | Hosting::InProcess => None,
    };
    let (service, metadata) = (backend.service.clone(), backend.metadata.clone().into());
    let reach = Reach { path, service, metadata, compression: backend.compression };
    let protocol = kind_of(backend)?.reaching(reach).map_err(ProtocolError::Reach)?;
    let Some(proto) = &backend.proto else { return Ok(protocol) };
    let damaged = |reason: String| {
        ProtocolError::Proto(ProtoError::File { file: proto.file.display().to_string(), reason })
    };
    let compiled = proto.compiled.as_deref().ok_or_else(|| damaged("it was not compiled".into()))?;
    let bytes = STANDARD.decode(compiled).map_err(|error| damaged(error.to_string()))?;
    let schema = ProtoSchema::from_bytes(&bytes).map_err(ProtocolError::Proto)?;
    protocol.with_proto(&schema, backend.service.as_deref())
}

fn kind_of(backend: &Backend) -> Result<Protocol, ProtocolError> {
    match &backend.kind {
        BackendKind::Protocol(name) => registry::named(name, backend.xmlrpc_i8),
        BackendKind::Pair { codec, transport } => registry::free_pair(codec, transport, backend.xmlrpc_i8),
    }
}

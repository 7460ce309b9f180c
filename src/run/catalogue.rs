//! What a scenario may name, told from the registries.

use crate::protocol::Protocol;
use crate::protocol::registry::{self, ProtocolError};
use crate::scenario::{Backend, BackendKind, Catalogue};
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
        registry::NAMED.iter().map(|row| (row.scheme, row.name)).collect()
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

/// The protocol of a back end.
///
/// # Errors
/// A name that does not exist.
pub fn protocol_of(backend: &Backend) -> Result<Protocol, ProtocolError> {
    match &backend.kind {
        BackendKind::Protocol(name) => registry::named(name, backend.xmlrpc_i8),
        BackendKind::Pair { codec, transport } => registry::free_pair(codec, transport, backend.xmlrpc_i8),
    }
}

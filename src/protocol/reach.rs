//! How one server is reached beside what its protocol says: the path of its URL, the name of its gRPC
//! service, and what is sent along with every call.

use std::sync::Arc;

use super::{Protocol, ProtocolError, Route};
use crate::codec::ProtoSchema;
use crate::rpc::{Compression, Service};

/// What one server wants beside its protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The request path of every method, where it is not the protocol's own.
    pub path: Option<String>,
    /// The full name of a gRPC service (`package.Service`), where it is not one of ours.
    pub service: Option<String>,
    /// Headers that are sent with every call; gRPC calls them metadata.
    pub metadata: Arc<[(String, String)]>,
    /// How requests are compressed, and replies asked to be.
    pub compression: Compression,
}

impl Default for Reach {
    fn default() -> Self {
        Self { path: None, service: None, metadata: Arc::from([]), compression: Compression::None }
    }
}

/// A server that cannot be reached as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The protocol has no paths.
    #[error("a {protocol} URL has no path, found {path:?}; end it after the port")]
    Path {
        /// The protocol.
        protocol: String,
        /// The path.
        path: String,
    },
    /// The protocol has no services.
    #[error("{protocol} has no services; only a gRPC server's methods belong to one")]
    Service {
        /// The protocol.
        protocol: String,
    },
    /// The protocol has no use for a `.proto`.
    #[error("{protocol} has no use for a .proto; only grpc has")]
    Proto {
        /// The protocol.
        protocol: String,
    },
    /// The transport carries no metadata.
    #[error("{protocol} carries no metadata; HTTP does (xmlrpc, grpc)")]
    Metadata {
        /// The protocol.
        protocol: String,
    },
    /// The transport compresses nothing.
    #[error("{protocol} has no compression; protocols over HTTP have (xmlrpc, grpc)")]
    Compression {
        /// The protocol.
        protocol: String,
    },
    /// Not a header.
    #[error("metadata {name:?}: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Headers that the transports write themselves, and the prefix that gRPC keeps for itself.
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const OWN_PREFIX: &str = "grpc-";

impl Reach {
    /// Changes the paths of a route to those of this server.
    pub(super) fn redirect(&self, route: &mut Route, service: &Service) {
        if let Some(name) = &self.service {
            let path = |method: &crate::rpc::ServiceMethod| format!("/{name}/{}", method.method.name);
            route.paths = service.methods.iter().map(path).collect();
        } else if let Some(path) = &self.path {
            route.paths = vec![path.clone(); service.methods.len()];
        }
    }
}

impl Protocol {
    /// The protocol as one server wants it.
    ///
    /// # Errors
    /// See [`ReachError`].
    pub fn reaching(mut self, reach: Reach) -> Result<Self, ReachError> {
        let protocol = || self.label();
        if let Some(path) = &reach.path
            && self.name != Some("xmlrpc")
            && path != "/"
        {
            return Err(ReachError::Path { protocol: protocol(), path: path.clone() });
        }
        if reach.service.is_some() && self.codec.name() != "protobuf" {
            return Err(ReachError::Service { protocol: protocol() });
        }
        if !reach.metadata.is_empty() && !self.transport.carries_metadata() {
            return Err(ReachError::Metadata { protocol: protocol() });
        }
        if reach.compression != Compression::None && !self.transport.compresses() {
            return Err(ReachError::Compression { protocol: protocol() });
        }
        reach.metadata.iter().try_for_each(|(name, value)| check_header(name, value))?;
        let path = reach.path.filter(|_| self.name == Some("xmlrpc"));
        self.reach = Reach { path, ..reach };
        Ok(self)
    }
}

impl Protocol {
    /// The protocol with the messages of a user's own service, which is called by its full name.
    ///
    /// # Errors
    /// The protocol has no use for a `.proto`; no such service, or several to choose from.
    pub fn with_proto(mut self, schema: &ProtoSchema, service: Option<&str>) -> Result<Self, ProtocolError> {
        if self.name.is_none() || self.codec.name() != "protobuf" {
            return Err(ProtocolError::Reach(ReachError::Proto { protocol: self.label() }));
        }
        let (codec, name) = schema.codec(service).map_err(ProtocolError::Proto)?;
        self.codec = codec;
        self.reach.service = Some(name);
        Ok(self)
    }
}

fn check_header(name: &str, value: &str) -> Result<(), ReachError> {
    let lower = name.to_ascii_lowercase();
    let why = if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        "not the name of a header; allowed: letters, digits and -_.~ and a few other marks"
    } else if OWN_HEADERS.contains(&&*lower) || lower.starts_with(OWN_PREFIX) {
        "the protocol writes this header itself"
    } else if http::HeaderValue::from_str(value).is_err() {
        "not the value of a header: it must be printable and of one line"
    } else {
        return Ok(());
    };
    Err(ReachError::Header { name: name.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::registry::named;

    fn metadata(name: &str, value: &str) -> Reach {
        Reach { metadata: Arc::from([(name.to_owned(), value.to_owned())]), ..Reach::default() }
    }

    #[test]
    fn only_protocols_that_have_paths_and_headers_take_them() {
        let path = |path: &str| Reach { path: Some(path.into()), ..Reach::default() };
        let reach = |name: &str, reach: Reach| named(name, false).unwrap().reaching(reach);
        assert!(reach("xmlrpc", path("/api/rpc")).is_ok());
        assert!(reach("grpc", path("/")).unwrap().reach.path.is_none());
        assert!(matches!(reach("grpc", path("/api")), Err(ReachError::Path { .. })));
        assert!(matches!(reach("zerorpc", metadata("a", "b")), Err(ReachError::Metadata { .. })));
        assert!(reach("grpc", metadata("authorization", "Bearer x")).is_ok());
        let gzip = || Reach { compression: Compression::Gzip, ..Reach::default() };
        for (name, takes) in [
            ("xmlrpc", true),
            ("grpc", true),
            ("grpc-tonic", true),
            ("zerorpc", false),
            ("binary-tcp", false),
        ] {
            assert_eq!(reach(name, gzip()).is_ok(), takes, "{name}");
        }
        let refused = reach("zerorpc", gzip()).unwrap_err();
        assert!(refused.to_string().starts_with("zerorpc has no compression"), "{refused}");
        for (name, value) in [("Content-Type", "a"), ("grpc-timeout", "1S"), ("a b", "c"), ("a", "b\r\nc")] {
            assert!(
                matches!(reach("xmlrpc", metadata(name, value)), Err(ReachError::Header { .. })),
                "{name}"
            );
        }
    }
}

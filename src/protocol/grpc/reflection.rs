//! `ServerReflectionInfo`: which services there are, and the files that describe them. `v1` and
//! `v1alpha` are the same on the wire.

use super::files::{self, DescribedFile};
use super::wire;
use crate::codec::protobuf::descriptor::{part, text};
use crate::rpc::Service;
use crate::transport::{Status, StatusKind};

pub(super) const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;

/// Fields of `ServerReflectionRequest`.
mod request {
    pub(super) const HOST: u32 = 1;
    pub(super) const FILE_BY_FILENAME: u32 = 3;
    pub(super) const FILE_CONTAINING_SYMBOL: u32 = 4;
    pub(super) const FILE_CONTAINING_EXTENSION: u32 = 5;
    pub(super) const ALL_EXTENSION_NUMBERS_OF_TYPE: u32 = 6;
    pub(super) const LIST_SERVICES: u32 = 7;
}

/// Fields of `ServerReflectionResponse`.
mod response {
    pub(super) const VALID_HOST: u32 = 1;
    pub(super) const ORIGINAL_REQUEST: u32 = 2;
    pub(super) const FILE_DESCRIPTORS: u32 = 4;
    pub(super) const EXTENSION_NUMBERS: u32 = 5;
    pub(super) const SERVICES: u32 = 6;
    pub(super) const ERROR: u32 = 7;
}

/// What a server says about itself.
pub(super) struct Reflection {
    services: Vec<String>,
    files: Vec<DescribedFile>,
    /// Why the server's own service has no file.
    own_refusal: Option<String>,
}

impl Reflection {
    pub(super) fn of(service: &Service) -> Self {
        let mut services = vec![super::full_name(service)];
        services.extend(files::OWN_SERVICES.map(str::to_owned));
        let mut files = files::own_files();
        let own = files::service_files(service);
        let own_refusal = own.as_ref().err().map(ToString::to_string);
        files.extend(own.into_iter().flatten());
        Self { services, files, own_refusal }
    }

    /// The answer to one request of the stream.
    ///
    /// # Errors
    /// The request is damaged, which ends the call.
    pub(super) fn answer(&self, body: &[u8]) -> Result<Vec<u8>, Status> {
        let fields = wire::fields(body)?;
        let mut out = Vec::new();
        if let Some(host) = fields.iter().rev().find(|field| field.number == request::HOST) {
            text(response::VALID_HOST, host.text()?, &mut out);
        }
        part(response::ORIGINAL_REQUEST, body, &mut out);
        // Of a oneof the last one counts.
        let Some(asked) = fields.iter().rev().find(|field| field.number > request::HOST) else {
            put_error(INVALID_ARGUMENT, "the request asks for nothing", &mut out);
            return Ok(out);
        };
        match asked.number {
            request::LIST_SERVICES => self.put_services(&mut out),
            request::FILE_BY_FILENAME => {
                let name = asked.text()?;
                self.put_file(|file| file.name == name, name, &mut out);
            }
            request::FILE_CONTAINING_SYMBOL => {
                let symbol = asked.text()?;
                self.put_file(|file| file.symbols.iter().any(|known| known == symbol), symbol, &mut out);
            }
            request::FILE_CONTAINING_EXTENSION => put_error(NOT_FOUND, "there are no extensions", &mut out),
            request::ALL_EXTENSION_NUMBERS_OF_TYPE => self.put_extensions(asked.text()?, &mut out),
            other => {
                let message = format!("the request asks for field {other}, which is not known here");
                return Err(Status::new(StatusKind::UnknownMethod, message));
            }
        }
        Ok(out)
    }

    fn put_services(&self, out: &mut Vec<u8>) {
        let mut list = Vec::new();
        for name in &self.services {
            let mut service = Vec::new();
            text(1, name, &mut service);
            part(1, &service, &mut list);
        }
        part(response::SERVICES, &list, out);
    }

    /// A file and the files that it imports, so that a client need not ask again.
    fn put_file(&self, is_it: impl Fn(&DescribedFile) -> bool, name: &str, out: &mut Vec<u8>) {
        let Some(file) = self.files.iter().find(|file| is_it(file)) else {
            let why = match &self.own_refusal {
                Some(why) => format!("{name:?} is described by no file here: {why}"),
                None => format!("{name:?} is described by no file here"),
            };
            return put_error(NOT_FOUND, &why, out);
        };
        let mut list = Vec::new();
        part(1, &file.bytes, &mut list);
        for import in self.files.iter().filter(|other| file.imports.contains(&&*other.name)) {
            part(1, &import.bytes, &mut list);
        }
        part(response::FILE_DESCRIPTORS, &list, out);
    }

    /// No message here has extensions.
    fn put_extensions(&self, message: &str, out: &mut Vec<u8>) {
        let is_known = |file: &DescribedFile| file.symbols.iter().any(|symbol| symbol == message);
        if !self.files.iter().any(is_known) {
            return put_error(NOT_FOUND, &format!("there is no message {message:?} here"), out);
        }
        let mut numbers = Vec::new();
        text(1, message, &mut numbers);
        part(response::EXTENSION_NUMBERS, &numbers, out);
    }
}

fn put_error(code: i32, message: &str, out: &mut Vec<u8>) {
    let mut error = Vec::new();
    prost::encoding::int32::encode(1, &code, &mut error);
    text(2, message, &mut error);
    part(response::ERROR, &error, out);
}

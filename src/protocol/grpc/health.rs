//! `grpc.health.v1.Health`. The server serves as long as it answers.

use super::wire;
use crate::rpc::Service;
use crate::transport::{Status, StatusKind};

pub(super) const CHECK: &str = "/grpc.health.v1.Health/Check";
pub(super) const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// NOT_FOUND.
const NOT_FOUND: u32 = 5;

/// `HealthCheckResponse { status }`: field 1, an enum.
const SERVING: [u8; 2] = [0x08, 1];
const SERVICE_UNKNOWN: [u8; 2] = [0x08, 3];

/// The answer to a check: a service that is not here is an error.
pub(super) fn check(service: &Service, request: &[u8]) -> Result<Vec<u8>, Status> {
    let name = asked(request)?;
    if is_here(service, name) {
        return Ok(SERVING.to_vec());
    }
    let message = format!("there is no service {name:?} here");
    Err(Status { kind: StatusKind::Other, code: Some(NOT_FOUND), message })
}

/// The first message of a watch. A service that is not here may come, says the protocol; ours never
/// change, so nothing follows.
pub(super) fn watch(service: &Service, request: &[u8]) -> Result<Vec<u8>, Status> {
    let is_here = is_here(service, asked(request)?);
    Ok(if is_here { SERVING } else { SERVICE_UNKNOWN }.to_vec())
}

/// `HealthCheckRequest { service }`: field 1; the last one counts.
fn asked(request: &[u8]) -> Result<&str, Status> {
    let fields = wire::fields(request)?;
    fields.iter().rev().find(|field| field.number == 1).map_or(Ok(""), |field| field.text())
}

/// The empty name is the server as a whole.
fn is_here(service: &Service, name: &str) -> bool {
    name.is_empty() || name == super::full_name(service)
}

//! Wirebench measures RPC protocols: which one to use for these calls, and whether a change made a
//! service slower.
//!
//! Data flows one way: a scenario file becomes a validated [`scenario`], the scenario a plan of
//! rounds ([`run`]); each round has a server process and a client process ([`host`]); the client
//! drives calls ([`load`]) and records them ([`record`]) into a [`result`]; [`analysis`] judges the
//! results and [`report`] draws them. A protocol is a row of a [`codec`], an envelope and a
//! [`transport`], put together in [`protocol`].
//!
//! Invariants, each explained in `METHODOLOGY.md`: latency counts from when a call was due; memory
//! does not grow with the number of calls; every reply is compared with the expected answer; the
//! same seed gives the same calls to every back end; nothing measured is lost; no process outlives
//! the run. Who may import whom is enforced by `tests/architecture.rs`.

pub mod analysis;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod host;
pub mod load;
pub mod protocol;
pub mod record;
pub mod report;
pub mod result;
pub mod rpc;
pub mod run;
pub mod scenario;
pub mod transport;

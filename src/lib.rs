//! Wirebench measures RPC protocols: which one to use for these calls, and whether a change made a
//! service slower.
//!
//! Data flows one way: a scenario file becomes a validated [`scenario`], the scenario a plan of
//! rounds ([`run`]); each round has a server process and a client process ([`host`]); the client
//! drives calls ([`load`]) and records them ([`record`]) into a [`result`]; [`analysis`] judges the
//! results and [`report`] draws them. A protocol is a row of a [`codec`], an envelope and a
//! [`transport`], put together in [`protocol`].
//!
//! Below all of them lie [`rpc`], the values, types and calls that every module speaks of, and
//! [`clock`]. [`cli`] stands above: one file per subcommand.
//!
//! Where to begin: `CONTRIBUTING.md` has the map of these modules, who may import whom, and how to add
//! a codec, a transport, a protocol, a report format or a peer; `METHODOLOGY.md` says what every
//! figure is and when it counts; `tests/architecture.rs` enforces the map.
//!
//! Invariants:
//!
//! - Latency counts from when a call was due; failed calls and wrong answers are in no histogram.
//! - Memory does not grow with the number of calls, and the recorder allocates nothing.
//! - Every reply is decoded and compared with the expected answer; a wrong one voids the cell.
//! - The same seed gives the same calls, bytes and arrival times to every back end.
//! - Server and client of a round are processes of their own, fresh for every round.
//! - Nothing measured is lost: each round is on disk when it ends.
//! - A failure is a row with a verdict, never a gap; what was not measured is null, never 0.
//! - No process outlives the run, however it ends.

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

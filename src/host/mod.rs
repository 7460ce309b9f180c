//! Processes of a run: starting and ending them, where they run, what they use.
//!
//! [`supervisor`] is the body of the hidden subcommand that stands between us and every command;
//! [`Child`] is our side of it; [`server`] starts a back end's server and waits for its first
//! answer; [`placement`], [`resources`], [`disturbance`],
//! [`alarm_clock`] and [`environment`](mod@environment) speak with the
//! kernel, and [`doctor`] says what they mean for the numbers.
//!
//! May import `protocol` (for our own servers), `record` and below. It deliberately does not know
//! how a call is made (the caller hands in a check for readiness), which rounds there are, or what a
//! figure means.

pub mod alarm_clock;
mod child;
pub mod disturbance;
pub mod doctor;
pub mod environment;
mod error;
pub mod lifeline;
mod output;
pub mod peers;
pub mod placement;
mod port;
pub mod process_tree;
pub mod resources;
mod serve;
pub mod server;
mod stops;
pub mod supervisor;
mod usage_course;
pub mod watch;

pub use child::{Child, ChildSpec, NoLine, own_binary, use_binary};
pub use environment::environment;
pub use error::HostError;
pub use lifeline::Exit;
pub use serve::{Serve, ServeError, serve, serve_in_process};

//! Runs: a plan of cells and rounds, carried out in interleaved order with fresh processes.
//!
//! May import everything but `cli` and `report`. It measures nothing itself (the client process
//! does, see [`run_client`]) and judges nothing (see `analysis`).

mod capacity;
mod catalogue;
mod check;
mod describe;
mod execute;
mod interrupt;
mod missing;
mod plan;
mod probe;
mod proto_files;
mod round;
mod selftest;
mod session;
mod spec;
mod stages;
mod wire;

pub use catalogue::{Registry, protocol_of};
pub use check::{CheckError, CheckOptions, CheckProgress, FinishedCheck, check, outcome_of_check};
pub use execute::{FinishedRun, Progress, RunError, RunOptions, execute, exit_code};
pub use interrupt::{INTERRUPTED, Interrupt};
pub use plan::{Cell, Choices, Plan, PlanError};
pub use probe::StageOrders;
pub use proto_files::load_proto;
pub use round::{Extras, FinishedRound, RoundError, run_round, run_round_with};
pub use selftest::{
    CaseOutcome, Check, Comparison, Selftest, SelftestError, SelftestOptions,
    StoreError as SelftestStoreError, last as last_selftest, selftest, store as store_selftest,
};
pub use spec::{ClientError, RoundSpec, run_client};

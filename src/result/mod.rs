//! The versioned result model: what a run found, how it is kept on disk, and how it is read again.
//!
//! [`RunResult`] is `run.json`; [`RoundResult`] is what a client process hands to its parent when a
//! round ends; [`hlog`] is the interval log with every histogram; [`Store`] is a run's folder. What
//! was not measured is null, never 0. Names are a contract: fields are added, none is renamed, and
//! a reader skips fields that it does not know.
//!
//! May import `rpc`. Data only: it deliberately judges nothing (see `analysis`) and draws nothing
//! (see `report`).

mod capacity;
mod cell;
mod check;
mod curve;
mod figures;
mod histograms;
pub mod hlog;
mod load;
mod round;
mod run;
mod series;
mod stage;
mod store;
mod wire;

pub use capacity::{Bound, CapacityProbe, CapacityResult};
pub use cell::{
    CellResult, ErrorExample, MethodResult, OURS, Reason, ReasonKind, RoundRecord, Status, Verdict,
};
pub use check::{
    BytesCheck, CalibratedMetric, Calibration, CheckResult, CheckSettings, CheckSide, CheckStatus,
    ErrorsCheck, LookRecord, MetricCheck, PairRecord, SearchSettings,
};
pub use curve::{Axis, Curve, CurvePoint};
pub use figures::{
    BytesPerCall, ConnectionCost, ContextSwitches, CpuPerCall, Figures, MessageBytes, OpeningTime,
    QuantileIntervals, Quantiles, RssPeak, Stages, StagesCheck, Switches, UsagePiece,
};
pub use histograms::{CellHistograms, Histograms};
pub use hlog::Kind;
pub use load::{Arrivals, ConnectionMode, Idle, LoadModel, LoadRecord, Placement, ThinkTime, WriteBatch};
pub use round::{MethodCounts, OpeningTotals, RoundResult, StageCounts, StageLog, TrafficBytes, WrongAnswer};
pub use run::{
    Environment, GateOutcome, RunResult, SCHEMA_VERSION, ScenarioRecord, SelftestRecord, Skipped, Versions,
    rfc3339_ms, shell_word,
};
pub use series::{POINTS_PER_NINE, QuantileCurve, RoundSeries, Second, quantile_curve};
pub use stage::{LoadStage, StageResult};
pub use store::{
    CellKey, Store, StoreError, StoredRound, load_check, load_histograms, load_rounds, load_run, write_whole,
};
pub use wire::{FirstCalls, WireCounts, WireMethod, WirePass};

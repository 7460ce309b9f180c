//! A run made by hand, shared with the integration tests of the reports.

use crate as wirebench;

include!("../../tests/support/run.rs");

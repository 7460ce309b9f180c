//! `wirebench client`: one round, for a parent process here or on another host.

use std::io::Read as _;

use anyhow::Context as _;

use crate::run::{RoundSpec, run_client};

pub(super) fn main() -> anyhow::Result<u8> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read the RoundSpec from standard input")?;
    let spec: RoundSpec =
        serde_json::from_str(&text).context("standard input is no RoundSpec (see `wirebench run`)")?;
    let result = run_client(&spec)?;
    super::print(&serde_json::to_vec(&result)?)?;
    Ok(0)
}

//! The tables beside those of the load points, for the page: capacities, stages of a load, knees.

use super::parts::{Block, Grid};
use crate::report::Input;
use crate::report::extras::extras;
use crate::report::place::MAX_NAME;
use crate::report::text::line;

/// The most characters of a sentence.
const MAX_SENTENCE: usize = 600;

/// A block for each table of each run.
pub(super) fn table_blocks(inputs: &[Input<'_>]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        for extra in extras(input.run) {
            let heading = if inputs.len() > 1 {
                format!("{}, run {}", extra.title, index + 1)
            } else {
                extra.title.to_owned()
            };
            let id = format!("{}-{}", extra.title.to_lowercase(), index + 1);
            let short = |cell: &String| line(cell, MAX_NAME);
            let grid = Grid {
                title: heading.clone(),
                header: extra.columns.iter().map(|name| (*name).to_owned()).collect(),
                rows: extra.rows.iter().map(|row| row.iter().map(short).collect()).collect(),
            };
            let notes = extra.remarks.iter().map(|remark| line(remark, MAX_SENTENCE)).collect();
            blocks.push(Block { grids: vec![grid], notes, ..Block::of(id, heading, Vec::new()) });
        }
    }
    blocks
}

//! How much memory the values of one message may take beyond what their own bytes make necessary.
//!
//! Where a format leaves defaults out, two bytes can stand for a struct of any size, again and again.
//! What is made without bytes of its own is therefore paid from a budget that grows with the message.

use std::cell::Cell;
use std::mem::size_of;
use std::sync::Arc;

use crate::rpc::Value;

/// What a field of a struct takes, without what its value holds elsewhere.
pub(crate) const FIELD_BYTES: usize = size_of::<(Arc<str>, Value)>();

/// What every message may take: sparse messages of ten thousands of structs stay below.
const FREE_BYTES: usize = 16 << 20;

/// The memory that is left for a message's values. Shared by all that read a part of it.
#[derive(Debug)]
pub(crate) struct Budget {
    left_bytes: Cell<usize>,
}

impl Budget {
    /// The budget of a message: so many bytes of memory for each of its own, and [`FREE_BYTES`].
    pub(crate) fn new(message: &[u8], per_byte: usize) -> Self {
        let bytes = message.len().saturating_mul(per_byte).saturating_add(FREE_BYTES);
        Self { left_bytes: Cell::new(bytes) }
    }

    /// Takes from the budget. Says whether there was as much.
    #[must_use]
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let left = self.left_bytes.get().checked_sub(bytes);
        self.left_bytes.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Why a message is refused whose budget is spent.
pub(crate) const SPENT: &str = "the message stands for far more values than it has bytes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_grows_with_the_message_and_ends() {
        let budget = Budget::new(&[0; 10], 3);
        assert!(budget.take(FREE_BYTES));
        assert!(budget.take(30));
        assert!(budget.take(0));
        assert!(!budget.take(1));
        let budget = Budget::new(&[0; 10], usize::MAX);
        assert!(budget.take(usize::MAX));
    }
}

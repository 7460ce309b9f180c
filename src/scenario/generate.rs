//! The seeded generator: which call comes next, with which arguments, and what must come back.
//!
//! Everything follows from the seed and a call's index, so any thread (or host) can make any call,
//! and all back ends get the same. Arguments are drawn before the round, into pools: drawing them in
//! the measured interval would cost the client time that differs by method.

use std::borrow::Cow;

use super::{Expect, Mix, Sizing, Workload, shape};
use crate::rpc::random::Random;
use crate::rpc::{Answer, Value};

/// The most argument lists in a method's pool.
const MOST_VARIANTS: usize = 256;

/// The memory of all pools together, roughly, in bytes. Each method has one argument list at least.
const POOLS_BYTES: u64 = 16 << 20;

static NIL: Value = Value::Nil;

/// A call that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlannedCall {
    /// The method's position.
    pub method: usize,
    /// Which of the method's argument lists.
    pub variant: usize,
}

/// Makes calls.
#[derive(Debug, Clone)]
pub struct Generator {
    pools: Vec<Pool>,
    order: Order,
    calls: Random,
    warmup: Random,
}

#[derive(Debug, Clone)]
struct Pool {
    variants: Vec<Vec<Value>>,
    answer: Answer,
    expect: Expect,
}

/// Methods with the running sum of their calls or weights; `total` is the last of these sums.
#[derive(Debug, Clone)]
struct Order {
    ends: Vec<(u64, usize)>,
    total: u64,
    sequence: bool,
}

impl Generator {
    /// Draws the pools of a workload.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let changing = workload.methods.iter().filter(|method| !is_constant(&method.params)).count();
        let budget_bytes = POOLS_BYTES / u64::try_from(changing.max(1)).unwrap_or(u64::MAX);
        let pools = workload
            .methods
            .iter()
            .map(|method| {
                let random = Random::labelled(workload.seed, &format!("arguments of {}", method.name));
                let most = if is_constant(&method.params) { 1 } else { MOST_VARIANTS };
                let sizing = Sizing::of(method.params.iter().map(|(_, shape)| shape), workload.payload_bytes);
                let mut variants = Vec::new();
                let mut used_bytes = 0_u64;
                while variants.len() < most && (used_bytes < budget_bytes || variants.is_empty()) {
                    let mut random = random.at(variants.len() as u64);
                    let arguments: Vec<Value> =
                        method.params.iter().map(|(_, shape)| shape.draw(&mut random, sizing)).collect();
                    used_bytes += arguments.iter().map(shape::memory_bytes).sum::<u64>();
                    variants.push(arguments);
                }
                Pool { variants, answer: method.answer(workload.seed), expect: method.expect }
            })
            .collect();
        Self {
            pools,
            order: Order::new(&workload.mix),
            calls: Random::labelled(workload.seed, "calls"),
            warmup: Random::labelled(workload.seed, "warm-up"),
        }
    }

    /// Measured call number `index`, from 0.
    #[must_use]
    pub fn call(&self, index: u64) -> PlannedCall {
        self.plan(&self.calls, index)
    }

    /// Warm-up call number `index`, from 0: drawn from a seed of its own, so that the warm-up's
    /// length changes no measured call. A sequence starts at its beginning here too.
    #[must_use]
    pub fn warmup_call(&self, index: u64) -> PlannedCall {
        self.plan(&self.warmup, index)
    }

    fn plan(&self, stream: &Random, index: u64) -> PlannedCall {
        let mut random = stream.at(index);
        let place = if self.order.sequence {
            index % self.order.total.max(1)
        } else {
            random.below(self.order.total)
        };
        let step = self.order.ends.partition_point(|(end, _)| *end <= place);
        let method = self.order.ends.get(step).map_or(0, |(_, method)| *method);
        let variants = self.pools.get(method).map_or(1, |pool| pool.variants.len());
        let variant =
            if variants > 1 { usize::try_from(random.below(variants as u64)).unwrap_or(0) } else { 0 };
        PlannedCall { method, variant }
    }

    /// How many methods the mix calls.
    #[must_use]
    pub fn mixed_methods(&self) -> usize {
        self.order.methods()
    }

    /// How many argument lists a method has; at least 1 for a method that exists.
    #[must_use]
    pub fn variants(&self, method: usize) -> usize {
        self.pools.get(method).map_or(0, |pool| pool.variants.len())
    }

    /// An argument list; empty for one that does not exist.
    #[must_use]
    pub fn arguments(&self, method: usize, variant: usize) -> &[Value] {
        self.pools.get(method).and_then(|pool| pool.variants.get(variant)).map_or(&[], Vec::as_slice)
    }

    /// How a method's answers are checked.
    #[must_use]
    pub fn expect(&self, method: usize) -> Expect {
        self.pools.get(method).map_or(Expect::Equal, |pool| pool.expect)
    }

    /// What a call must be answered with; where the method streams, each item of it.
    #[must_use]
    pub fn expected(&self, method: usize, variant: usize) -> &Value {
        let answer = self.pools.get(method).and_then(|pool| {
            let arguments = pool.variants.get(variant)?;
            pool.answer.value(arguments)
        });
        match answer {
            Some(Cow::Borrowed(value)) => value,
            // No scenario has answers that are computed.
            Some(Cow::Owned(_)) | None => &NIL,
        }
    }
}

fn is_constant(params: &[(std::sync::Arc<str>, super::Shape)]) -> bool {
    params.iter().all(|(_, shape)| shape.is_constant())
}

impl Order {
    fn new(mix: &Mix) -> Self {
        let (steps, sequence) = match mix {
            Mix::Sequence(steps) => (steps, true),
            Mix::Weights(weights) => (weights, false),
        };
        let mut total = 0_u64;
        let ends = steps
            .iter()
            .map(|(method, share)| {
                total = total.saturating_add(*share);
                (total, *method)
            })
            .collect();
        Self { ends, total, sequence }
    }

    /// How many methods have a share.
    fn methods(&self) -> usize {
        let mut before = 0;
        let mut methods: Vec<usize> = Vec::new();
        for (end, method) in &self.ends {
            if *end > before && !methods.contains(method) {
                methods.push(*method);
            }
            before = *end;
        }
        methods.len()
    }
}

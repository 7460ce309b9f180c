//! Methods as a scenario declares them, and the mix in which they are called.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Shape;
use crate::rpc::random::Random;
use crate::rpc::{Answer, Delay, Field, Method, Service, ServiceMethod, Type, Value, named_choice};

/// A method of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSpec {
    /// The name on the wire.
    pub name: Arc<str>,
    /// The parameters, in order.
    pub params: Vec<(Arc<str>, Shape)>,
    /// What it answers; an item of it where the method streams.
    pub returns: Returns,
    /// How an answer is checked.
    pub expect: Expect,
    /// How many items it streams; `None` for one answer.
    pub stream_items: Option<u64>,
    /// How long it takes.
    pub delay: Option<Delay>,
    /// The share of calls that fail on purpose, 0 to 1.
    pub fail_rate: f64,
}

/// What a method answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Returns {
    /// One value of this shape, drawn once from the seed.
    Drawn(Shape),
    /// The parameter of this position.
    Echo(usize),
    /// Anything: nobody looks at it.
    Open,
}

named_choice! {
    /// How answers are checked: services with state answer differently every time.
    #[derive(Default)]
    Expect {
        /// Equal to the answer of the scenario.
        #[default]
        Equal = "equal",
        /// Of its type.
        Type = "type",
        /// Not at all.
        Any = "any",
    }
}

impl MethodSpec {
    /// The signature.
    #[must_use]
    pub fn method(&self) -> Method {
        let returns = match &self.returns {
            Returns::Drawn(shape) => shape.ty(),
            Returns::Echo(position) => self.params.get(*position).map_or(Type::Nil, |(_, shape)| shape.ty()),
            Returns::Open => Type::Any,
        };
        let params =
            self.params.iter().map(|(name, shape)| Field { name: name.clone(), ty: shape.ty() }).collect();
        Method { name: self.name.clone(), params, returns }
    }

    /// The answer under a seed. It depends on no other method, so that adding one changes none.
    #[must_use]
    pub fn answer(&self, seed: u64) -> Answer {
        match &self.returns {
            Returns::Drawn(shape) => {
                let mut random = Random::labelled(seed, &format!("answer of {}", self.name));
                Answer::Value(shape.draw(&mut random, None))
            }
            Returns::Echo(position) => Answer::Echo(*position),
            Returns::Open => Answer::Value(Value::Nil),
        }
    }
}

/// Which methods are called how often. Methods are given by their position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mix {
    /// So many calls of one method, then so many of the next, and again from the start.
    Sequence(Vec<(usize, u64)>),
    /// Each call picks a method at random, by weight.
    Weights(Vec<(usize, u64)>),
}

impl Mix {
    /// The calls of one pass of a sequence; `None` for weights.
    #[must_use]
    pub fn sequence_calls(&self) -> Option<u64> {
        match self {
            Mix::Sequence(steps) => {
                Some(steps.iter().fold(0_u64, |sum, (_, calls)| sum.saturating_add(*calls)))
            }
            Mix::Weights(_) => None,
        }
    }
}

/// All that decides which calls are made: what a client process is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The service's name: an identifier.
    pub service_name: String,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// The methods.
    pub methods: Vec<MethodSpec>,
    /// The call mix.
    pub mix: Mix,
    /// `sweep.payload`: replaces the length of every text and bytes in the parameters that has one.
    pub payload_bytes: Option<u64>,
}

impl Workload {
    /// The service that is called: every answer that is no echo is drawn here, from the seed.
    #[must_use]
    pub fn service(&self) -> Service {
        let methods = self
            .methods
            .iter()
            .map(|method| ServiceMethod {
                method: method.method(),
                answer: method.answer(self.seed),
                stream_items: method.stream_items,
                delay: method.delay,
                fail_rate: method.fail_rate,
            })
            .collect();
        Service { name: self.service_name.clone(), methods, seed: self.seed }
    }
}

//! A service: methods and what they answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::random::Random;
use super::{Fault, FaultKind, Method, Value};

/// The methods that a server offers and what it answers, the same for every protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The name; a gRPC server offers its methods under it.
    pub name: String,
    /// The methods, in the order of the scenario.
    pub methods: Vec<ServiceMethod>,
    /// The seed of service times and deliberate faults.
    pub seed: u64,
}

/// A method, its answer and how it behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceMethod {
    /// The signature.
    pub method: Method,
    /// What it answers.
    pub answer: Answer,
    /// How many items the method streams; `None` for one answer.
    pub stream_items: Option<u64>,
    /// How long it takes.
    pub delay: Option<Delay>,
    /// The share of calls that fail on purpose, 0 to 1.
    pub fail_rate: f64,
}

/// What a method answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Always this value.
    Value(Value),
    /// The parameter of this position.
    Echo(usize),
    /// What a built-in service computes; `None` for arguments that it has no answer to. It stands in
    /// no scenario and no service file.
    Computed(Compute),
}

/// A function that computes answers.
#[derive(Debug, Clone, Copy)]
pub struct Compute(pub fn(&[Value]) -> Option<Value>);

/// The same function; one that the compiler wrote twice may count as two.
impl PartialEq for Compute {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

/// How long a method takes before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// The time without stalls.
    pub hold: Hold,
    /// Times at which every call waits.
    pub stall: Option<Stall>,
    /// What the server does meanwhile.
    pub how: How,
}

/// What a server does while a call takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It waits, and answers any number of other calls meanwhile.
    #[default]
    Sleep,
    /// It computes, and answers nobody else on that thread.
    Busy,
    /// It waits, and serves one call at a time: the next one's time begins when this one's is over. The
    /// line is the whole server's, over all its threads, connections and methods. A stall keeps a call
    /// whose time would begin in it waiting until its end.
    Serial,
}

impl How {
    /// The names in scenario and service files.
    pub const NAMES: &'static [&'static str] = &["sleep", "busy", "serial"];

    /// Looks up a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sleep, Self::Busy, Self::Serial]
            .into_iter()
            .zip(Self::NAMES)
            .find(|(_, of)| **of == name)
            .map(|(how, _)| how)
    }
}

/// A distribution of service times, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Always the same.
    Fixed(u64),
    /// Uniform between two times.
    Uniform(u64, u64),
    /// Exponential with this mean.
    Exponential(u64),
    /// Mostly one time, for a share of calls another.
    Bimodal {
        /// The usual time.
        fast_ns: u64,
        /// The other time.
        slow_ns: u64,
        /// The share of slow calls, 0 to 1.
        slow_share: f64,
    },
}

/// Every `every_ns`, for `for_ns`, the server makes every arriving call wait for the stall's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// From the start of one stall to the start of the next.
    pub every_ns: u64,
    /// How long one lasts.
    pub for_ns: u64,
}

/// What a service decided about one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Wait this long before the answer, in nanoseconds.
    pub hold_ns: u64,
    /// What the server does meanwhile.
    pub how: How,
    /// The fault to answer with, if any.
    pub fault: Option<Fault>,
}

impl Service {
    /// The position of a method.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.methods.iter().position(|method| &*method.method.name == name)
    }

    /// Decides how call `ordinal` (counted by the server) of a method behaves whose time begins at
    /// `now_ns` after the server's start.
    #[must_use]
    pub fn decide(&self, method: &ServiceMethod, ordinal: u64, now_ns: u64) -> Outcome {
        if method.delay.is_none() && method.fail_rate <= 0.0 {
            return Outcome { hold_ns: 0, how: How::Sleep, fault: None };
        }
        let mut random = Random::labelled(self.seed, "service").at(ordinal);
        let fails = random.unit() < method.fail_rate;
        let fault = fails.then(|| Fault::new(FaultKind::Application, "this call fails on purpose"));
        let (hold_ns, how) = match method.delay {
            None => (0, How::Sleep),
            Some(delay) => (delay.draw(&mut random, now_ns), delay.how),
        };
        Outcome { hold_ns, how, fault }
    }
}

impl Answer {
    /// The value that a call with these arguments is answered with.
    #[must_use]
    pub fn value<'a>(&'a self, arguments: &'a [Value]) -> Option<Cow<'a, Value>> {
        match self {
            Answer::Value(value) => Some(Cow::Borrowed(value)),
            Answer::Echo(position) => arguments.get(*position).map(Cow::Borrowed),
            Answer::Computed(compute) => compute.0(arguments).map(Cow::Owned),
        }
    }
}

impl Delay {
    /// Draws the time of a call that begins at `now_ns` after the server's start.
    #[must_use]
    pub fn draw(&self, random: &mut Random, now_ns: u64) -> u64 {
        let stalled_ns = match self.stall {
            Some(stall) if stall.every_ns > 0 => {
                let phase_ns = now_ns % stall.every_ns;
                // The stall ends the period, so that a server is not born stalled.
                let begins_ns = stall.every_ns.saturating_sub(stall.for_ns);
                if phase_ns >= begins_ns { stall.every_ns - phase_ns } else { 0 }
            }
            _ => 0,
        };
        stalled_ns.saturating_add(self.hold.draw(random))
    }
}

impl Hold {
    /// Draws one time, in nanoseconds.
    #[must_use]
    pub fn draw(self, random: &mut Random) -> u64 {
        match self {
            Hold::Fixed(ns) => ns,
            Hold::Uniform(min, max) => min + random.below(max.saturating_sub(min).saturating_add(1)),
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Hold::Exponential(mean) => (random.exponential() * mean as f64) as u64,
            Hold::Bimodal { fast_ns, slow_ns, slow_share } => {
                if random.unit() < slow_share {
                    slow_ns
                } else {
                    fast_ns
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_holds_every_call_until_its_end() {
        let stall = Stall { every_ns: 2_000, for_ns: 200 };
        let delay = Delay { hold: Hold::Fixed(10), stall: Some(stall), how: How::Sleep };
        let mut random = Random::new(1);
        assert_eq!(delay.draw(&mut random, 0), 10);
        assert_eq!(delay.draw(&mut random, 1_799), 10);
        assert_eq!(delay.draw(&mut random, 1_800), 210);
        assert_eq!(delay.draw(&mut random, 1_999), 11);
        assert_eq!(delay.draw(&mut random, 2_000), 10);
    }

    #[test]
    fn the_share_of_slow_calls_is_kept() {
        let mut random = Random::new(3);
        let hold = Hold::Bimodal { fast_ns: 1, slow_ns: 50, slow_share: 0.005 };
        let slow = (0..100_000).filter(|_| hold.draw(&mut random) == 50).count();
        assert!((400..600).contains(&slow), "{slow}");
    }
}

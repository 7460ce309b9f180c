//! The wire pass: the first seeded calls of each method, one after another, through a relay that counts
//! bytes. Nothing is timed.
//!
//! Each method has connections of its own, in the cell's connection mode, and every byte that crosses
//! them from opening to closing is counted, so that handshakes and heartbeats are shared by the calls
//! they served. Which calls these are, and how many, follows from the scenario alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::protocol::{Protocol, ProtocolError, Series};
use crate::result::{FirstCalls, WireCounts, WireMethod, WirePass};
use crate::rpc::Service;
use crate::scenario::{Generator, PlannedCall};
use crate::transport::{Crossed, Relay, Traffic, Wiring};

/// The longest that a pass may take; each method may use an equal part of what is left.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// How long connections may take to close after the last call.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
/// Calls are looked for among so many: a method that is rarer than that goes without.
const SEARCHED_CALLS: u64 = 1_000_000;
/// A method's calls carry at most so much payload together, both ways; one is made in any case.
const MOST_PAYLOAD_BYTES: u64 = 32 << 20;
/// A method's streams have at most so many items together; one is made in any case.
const MOST_ITEMS: u64 = 10_000;

/// What a pass needs.
pub(super) struct Pass<'a> {
    pub(super) protocol: &'a Protocol,
    pub(super) service: &'a Arc<Service>,
    pub(super) wiring: &'a Arc<Wiring>,
    /// The server itself.
    pub(super) target: &'a str,
    pub(super) generator: &'a Generator,
    /// Payload bytes of arguments and answer, by method and variant.
    pub(super) payload_bytes: &'a [Vec<(u64, u64)>],
    pub(super) per_call: bool,
    pub(super) timeout: Duration,
    /// The most calls of a method.
    pub(super) calls: u64,
}

impl Pass<'_> {
    /// Makes the pass on this thread, which must not be inside a runtime.
    pub(super) fn run(&self) -> WirePass {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => tokio::task::LocalSet::new().block_on(&runtime, self.methods()),
            Err(error) => WirePass::failed(format!("no runtime: {error}")),
        }
    }

    async fn methods(&self) -> WirePass {
        let deadline = Instant::now() + LIMIT;
        let planned = self.planned();
        let mut left = planned.len();
        let mut pass = WirePass::default();
        for (position, calls) in planned {
            let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(1);
            left -= 1;
            let name = self.service.methods[position].method.name.to_string();
            match self.method(&calls, Instant::now() + share).await {
                Ok((method, trouble)) => {
                    if let Some(trouble) = trouble {
                        pass.note.get_or_insert(format!("{name}: {trouble}"));
                    }
                    pass.methods.insert(name, method);
                }
                Err(error) => {
                    pass.note.get_or_insert(format!("{name}: {error}"));
                }
            }
        }
        pass
    }

    /// The calls of each method that the mix has, in the order in which the methods first come up.
    fn planned(&self) -> Vec<(usize, Vec<PlannedCall>)> {
        let mut planned: Vec<(usize, Vec<PlannedCall>, u64)> = Vec::new();
        let mut full = 0;
        for index in 0..SEARCHED_CALLS {
            let call = self.generator.call(index);
            let place = planned.iter().position(|(method, ..)| *method == call.method);
            let place = place.unwrap_or_else(|| {
                planned.push((call.method, Vec::new(), 0));
                planned.len() - 1
            });
            let (method, calls, payload_bytes) = &mut planned[place];
            let items = self.service.methods[*method].stream_items.unwrap_or(1);
            let (request, response) = self.payload_bytes[*method][call.variant];
            let bytes = payload_bytes.saturating_add(request + response.saturating_mul(items));
            let fits = bytes <= MOST_PAYLOAD_BYTES && (calls.len() as u64 + 1) * items <= MOST_ITEMS;
            if calls.is_empty() || ((calls.len() as u64) < self.calls && *payload_bytes < u64::MAX && fits) {
                calls.push(call);
                *payload_bytes = bytes;
            } else if *payload_bytes < u64::MAX {
                // Full: a smaller call later must not be taken in place of this one.
                *payload_bytes = u64::MAX;
                full += 1;
            }
            if full == planned.len() && full == self.generator.mixed_methods() {
                break;
            }
        }
        planned.into_iter().map(|(method, calls, _)| (method, calls)).collect()
    }

    /// Makes a method's calls; also says why not all of them were answered.
    async fn method(
        &self,
        calls: &[PlannedCall],
        deadline: Instant,
    ) -> Result<(WireMethod, Option<String>), ProtocolError> {
        let relay = match Relay::start(self.target).await {
            Ok(relay) => relay,
            Err(error) => return Ok((WireMethod::default(), Some(error.to_string()))),
        };
        let wiring = Arc::clone(self.wiring).naming(self.target);
        let mut series =
            Series::new(self.protocol, self.service, &wiring, relay.address(), self.per_call, self.timeout)?;
        let mut encoded = FirstCalls { calls: calls.len() as u64, request: 0, response: Some(0) };
        for call in calls {
            let arguments = self.generator.arguments(call.method, call.variant);
            // What cannot be encoded was refused before the run.
            encoded.request += series.request_bytes(call.method, arguments).unwrap_or(0);
        }
        let (mut answered, mut trouble, mut first) = (0, None, Traffic::default());
        for call in calls {
            if Instant::now() >= deadline {
                trouble = Some(format!("there was time for {answered} of {} calls", calls.len()));
                break;
            }
            let arguments = self.generator.arguments(call.method, call.variant);
            match series.call(call.method, arguments).await {
                Ok(bytes) => {
                    answered += 1;
                    encoded.response = encoded.response.zip(bytes).map(|(sum, bytes)| sum + bytes);
                }
                Err(error) => {
                    trouble = Some(format!("call {} of {}: {error}", answered + 1, calls.len()));
                    break;
                }
            }
            if answered == 1 {
                first = series.traffic();
            }
        }
        if trouble.is_some() {
            encoded.response = None;
        }
        series.close();
        let crossed = match tokio::time::timeout(CLOSE_LIMIT, relay.take()).await {
            Ok(Ok(crossed)) => counts(answered, crossed, first, series.traffic()),
            Ok(Err(error)) => {
                trouble.get_or_insert(error.to_string());
                None
            }
            Err(_) => {
                trouble.get_or_insert("the connections did not close".into());
                None
            }
        };
        Ok((WireMethod { encoded, crossed }, trouble))
    }
}

/// What crossed, by call. With a connection for each call, or one that the server closes after each, the
/// first call is like the others.
fn counts(answered: u64, crossed: Crossed, first: Traffic, all: Traffic) -> Option<WireCounts> {
    if answered == 0 {
        return None;
    }
    let framed = |first: u64, all: u64| {
        let (bytes, calls) = if crossed.connections == answered && answered > 1 {
            (all, answered)
        } else {
            (all - first, answered - 1)
        };
        (calls > 0).then(|| bytes as f64 / calls as f64)
    };
    Some(WireCounts {
        calls: answered,
        connections: crossed.connections,
        request_bytes: crossed.request_bytes,
        response_bytes: crossed.response_bytes,
        framed_request: framed(first.sent_bytes, all.sent_bytes),
        framed_response: framed(first.received_bytes, all.received_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::registry;
    use crate::run::Registry;
    use crate::scenario::Scenario;

    /// A pass over a scenario's methods to a server that is not there.
    fn with_pass(methods: &str, calls: u64, test: impl FnOnce(&Pass<'_>)) {
        let text = format!("name = \"p\"\n{methods}\n[backends.a]\nprotocol = \"binary-tcp\"\n");
        let scenario = Scenario::parse("p", &text, &Registry).unwrap();
        let workload = scenario.workload(None);
        let (service, generator) = (Arc::new(workload.service()), Generator::new(&workload));
        let protocol = registry::named("binary-tcp", false).unwrap();
        let wiring = protocol.wiring(&service, 1, 1).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        drop(listener);
        test(&Pass {
            protocol: &protocol,
            service: &service,
            wiring: &wiring,
            target: &target,
            generator: &generator,
            payload_bytes: &crate::load::payload_bytes(&generator, service.methods.len()),
            per_call: false,
            timeout: Duration::from_secs(5),
            calls,
        });
    }

    const TWO: &str = "[methods.a]\n[methods.b]\nparams = { x = { text = { length = { min = 1, max = 9 } } } }\n\
        [methods.never]\n[mix]\nweights = { a = 9, b = 1, never = 0 }";

    #[test]
    fn the_calls_are_the_first_that_the_seed_gives_each_method_of_the_mix() {
        with_pass(TWO, 7, |pass| {
            let planned = pass.planned();
            assert_eq!(planned.len(), 2, "a method without weight is not called");
            for (method, calls) in planned {
                let seeded = (0..10_000).map(|index| pass.generator.call(index));
                let expected: Vec<_> = seeded.filter(|call| call.method == method).take(7).collect();
                assert_eq!(calls, expected);
            }
        });
    }

    #[test]
    fn large_calls_and_long_streams_are_fewer_and_one_at_least() {
        for (method, calls) in [
            ("params = { x = { bytes = { length = 1000000 } } }", 33),
            ("params = { x = { bytes = { length = 16000000 } } }\nreturns = { echo = \"x\" }", 1),
            ("stream = { items = 1000 }", 10),
            ("stream = { items = 20000 }", 1),
        ] {
            with_pass(&format!("[methods.a]\n{method}"), 100, |pass| {
                assert_eq!(pass.planned()[0].1.len(), calls, "{method}");
            });
        }
    }

    #[test]
    fn a_server_that_is_gone_leaves_a_note_and_the_requests_bytes() {
        with_pass(TWO, 7, |pass| {
            let counted = pass.run();
            assert!(!counted.has_counts());
            assert!(counted.note.unwrap().starts_with("a: call 1 of 7: "));
            let encoded = counted.methods["b"].encoded;
            assert!(encoded.calls == 7 && encoded.request > 7 && encoded.response.is_none(), "{encoded:?}");
        });
    }
}

//! The wire pass of a cell: bytes per call by method, and over all methods as the timed calls were mixed.

use crate::result::{Figures, MessageBytes, MethodResult, WireCounts, WirePass};

/// Fills in what the passes counted: the first one that counted anything, or else what the last says of
/// its failure. The methods of a pass need not have had timed calls.
pub fn add_wire<'a>(figures: &mut Figures, passes: impl Iterator<Item = &'a WirePass>) {
    let mut chosen: Option<&WirePass> = None;
    for pass in passes {
        if chosen.is_none_or(|chosen| !chosen.has_counts()) {
            chosen = Some(pass);
        }
    }
    let Some(pass) = chosen else { return };
    figures.wire_note.clone_from(&pass.note);
    for (name, counted) in &pass.methods {
        let method = figures.methods.entry(name.clone()).or_default();
        method.encoded_bytes_first_calls = Some(counted.encoded);
        method.wire_pass = counted.crossed;
        let Some(crossed) = counted.crossed else { continue };
        let [request, response] = per_call(&crossed);
        method.bytes_per_call.request.wire = Some(request);
        method.bytes_per_call.response.wire = Some(response);
        method.bytes_per_call.request.framed = crossed.framed_request;
        method.bytes_per_call.response.framed = crossed.framed_response;
    }
    let mixed = |of: fn(&MethodResult) -> &MessageBytes| {
        let timed = || figures.methods.values().filter(|method| method.calls > 0);
        let calls: u64 = timed().map(|method| method.calls).sum();
        // Without the bytes of one method the mean would be of another mix.
        let bytes: Option<f64> =
            timed().map(|method| Some(of(method).wire? * method.calls as f64)).sum::<Option<f64>>();
        bytes.filter(|_| calls > 0).map(|bytes| bytes / calls as f64)
    };
    let request = mixed(|method| &method.bytes_per_call.request);
    let response = mixed(|method| &method.bytes_per_call.response);
    figures.bytes_per_call.request.wire = request;
    figures.bytes_per_call.response.wire = response;
}

fn per_call(crossed: &WireCounts) -> [f64; 2] {
    let calls = crossed.calls.max(1) as f64;
    [crossed.request_bytes as f64 / calls, crossed.response_bytes as f64 / calls]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::WireMethod;

    fn pass(request_bytes: &[(&str, u64)]) -> WirePass {
        let method = |bytes| WireMethod {
            crossed: Some(WireCounts { calls: 10, request_bytes: bytes, ..WireCounts::default() }),
            ..WireMethod::default()
        };
        let methods = request_bytes.iter().map(|(name, bytes)| ((*name).to_owned(), method(*bytes)));
        WirePass { methods: methods.collect(), note: None }
    }

    fn figures(calls: &[(&str, u64)]) -> Figures {
        let method = |calls| MethodResult { calls, ..MethodResult::default() };
        let methods = calls.iter().map(|(name, calls)| ((*name).to_owned(), method(*calls)));
        Figures { methods: methods.collect(), ..Figures::default() }
    }

    #[test]
    fn methods_are_weighed_by_their_timed_calls() {
        let mut figures = figures(&[("a", 300), ("b", 100)]);
        add_wire(&mut figures, [&pass(&[("a", 1_000), ("b", 2_000), ("never", 5)])].into_iter());
        assert_eq!(figures.methods["a"].bytes_per_call.request.wire, Some(100.0));
        assert_eq!(figures.bytes_per_call.request.wire, Some(125.0));
        assert_eq!(figures.bytes_per_call.response.wire, Some(0.0));
    }

    #[test]
    fn a_method_that_was_not_counted_leaves_the_mix_unknown() {
        let mut figures = figures(&[("a", 300), ("b", 100)]);
        add_wire(&mut figures, [&pass(&[("a", 1_000)])].into_iter());
        assert_eq!(figures.methods["a"].bytes_per_call.request.wire, Some(100.0));
        assert_eq!(figures.bytes_per_call.request.wire, None);
    }

    #[test]
    fn a_pass_that_counted_is_preferred_to_one_that_failed() {
        let (failed, good) = (WirePass::failed("no time"), pass(&[("a", 1_000)]));
        for passes in [[&failed, &good], [&good, &failed]] {
            let mut figures = figures(&[("a", 1)]);
            add_wire(&mut figures, passes.into_iter());
            assert_eq!((figures.bytes_per_call.request.wire, figures.wire_note), (Some(100.0), None));
        }
        let mut figures = figures(&[("a", 1)]);
        add_wire(&mut figures, [&failed].into_iter());
        assert_eq!(figures.wire_note.as_deref(), Some("no time"));
    }
}

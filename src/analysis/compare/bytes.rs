//! Encoded bytes of the same calls on both sides, compared exactly.

use crate::result::{BytesCheck, CheckStatus, WirePass};

/// Compares what the first seeded calls of each method encode to: the same calls on both sides. Methods of
/// which a side did not answer every one are named in the second list.
#[must_use]
pub fn compare_bytes(base: &WirePass, candidate: &WirePass, gated: bool) -> (Vec<BytesCheck>, Vec<String>) {
    let mut compared = Vec::new();
    let mut left_out = Vec::new();
    for (name, ours) in &base.methods {
        let ours = ours.encoded;
        let theirs = candidate.methods.get(name).map(|method| method.encoded);
        let same = theirs.filter(|theirs| theirs.calls == ours.calls && ours.calls > 0);
        let both = same
            .and_then(|theirs| Some(([ours.request, theirs.request], [ours.response?, theirs.response?])));
        let Some((request, response)) = both else {
            left_out.push(name.clone());
            continue;
        };
        let more = request[1] > request[0] || response[1] > response[0];
        let verdict = if gated && more { CheckStatus::Regressed } else { CheckStatus::Pass };
        compared.push(BytesCheck {
            method: name.clone(),
            calls: ours.calls,
            request,
            response,
            gated,
            verdict,
        });
    }
    (compared, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{FirstCalls, WireMethod};

    fn pass(calls: u64, request: u64, response: Option<u64>) -> WirePass {
        let encoded = FirstCalls { calls, request, response };
        let methods = [("m".to_owned(), WireMethod { encoded, crossed: None })].into();
        WirePass { methods, note: None }
    }

    #[test]
    fn one_byte_more_is_a_regression_where_it_is_gated() {
        let base = pass(10, 40, Some(80));
        let of = |candidate: &WirePass, gated| compare_bytes(&base, candidate, gated).0[0].verdict;
        assert_eq!(of(&pass(10, 40, Some(80)), true), CheckStatus::Pass);
        assert_eq!(of(&pass(10, 41, Some(80)), true), CheckStatus::Regressed);
        assert_eq!(of(&pass(10, 0, Some(81)), true), CheckStatus::Regressed);
        assert_eq!(of(&pass(10, 41, Some(81)), false), CheckStatus::Pass);
    }

    #[test]
    fn calls_that_were_not_answered_are_not_compared() {
        for candidate in [pass(9, 36, Some(72)), pass(10, 40, None), WirePass::default()] {
            let (compared, left_out) = compare_bytes(&pass(10, 40, Some(80)), &candidate, true);
            assert_eq!((compared.len(), left_out), (0, vec!["m".to_owned()]));
        }
    }
}

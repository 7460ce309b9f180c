//! Encoded bytes of the same calls on both sides, compared exactly.

use crate::result::{BytesCheck, CheckStatus, RoundResult};

/// Compares the encoded bytes of two rounds that made the same calls: methods of which both sides
/// answered equally many, all rightly. The others are named in the second list.
#[must_use]
pub fn compare_bytes(
    base: &RoundResult,
    candidate: &RoundResult,
    gated: bool,
) -> (Vec<BytesCheck>, Vec<String>) {
    let mut compared = Vec::new();
    let mut left_out = Vec::new();
    for (name, ours) in &base.methods {
        let same = candidate.methods.get(name).filter(|theirs| {
            theirs.calls == ours.calls
                && [ours, *theirs].iter().all(|of| of.errors.values().all(|failed| *failed == 0))
        });
        let Some(theirs) = same else {
            left_out.push(name.clone());
            continue;
        };
        if ours.calls == 0 {
            continue;
        }
        let request = [ours.request_encoded_bytes, theirs.request_encoded_bytes];
        let response = [ours.response_encoded_bytes, theirs.response_encoded_bytes];
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
    use crate::result::MethodCounts;

    fn round(calls: u64, request: u64, response: u64) -> RoundResult {
        let counts = MethodCounts {
            calls,
            request_encoded_bytes: request,
            response_encoded_bytes: response,
            ..MethodCounts::default()
        };
        RoundResult { methods: [("m".to_owned(), counts)].into(), ..RoundResult::default() }
    }

    #[test]
    fn one_byte_more_is_a_regression_where_it_is_gated() {
        let of =
            |candidate: &RoundResult, gated| compare_bytes(&round(10, 40, 80), candidate, gated).0[0].verdict;
        assert_eq!(of(&round(10, 40, 80), true), CheckStatus::Pass);
        assert_eq!(of(&round(10, 41, 80), true), CheckStatus::Regressed);
        assert_eq!(of(&round(10, 0, 81), true), CheckStatus::Regressed);
        assert_eq!(of(&round(10, 41, 81), false), CheckStatus::Pass);
    }

    #[test]
    fn different_calls_are_not_compared() {
        let (compared, left_out) = compare_bytes(&round(10, 40, 80), &round(9, 36, 72), true);
        assert_eq!((compared.len(), left_out), (0, vec!["m".to_owned()]));
    }
}

//! Whether back ends answered the same thing where the scenario does not compare answers as a whole.
//!
//! A server whose answers are half as long has less to do, and its figures are of something else. It looks
//! at sizes alone: answers of one size may still differ.

use crate::result::{CellResult, MethodResult, RunResult};

/// Means that differ by more than this share of the smaller are not of the same answers.
const TOLERANCE: f64 = 0.1;

/// Two back ends that answered the same calls with different things.
#[derive(Debug, Clone, PartialEq)]
pub struct UnlikeAnswers {
    /// The method.
    pub method: String,
    /// The back end with the smaller answers, and their mean in bytes.
    pub smaller: (String, f64),
    /// The back end with the larger answers, and their mean in bytes.
    pub larger: (String, f64),
    /// Whether the bytes are the codec's; else they are those of the information itself.
    pub encoded: bool,
}

/// For each method whose answers are checked loosely, the two back ends whose answers differ most in size,
/// where that is more than chance and rounding make of the same answers. Each pair is told once, however many
/// load points it is found at.
#[must_use]
pub fn unlike_answers(run: &RunResult) -> Vec<UnlikeAnswers> {
    let mut found: Vec<UnlikeAnswers> = Vec::new();
    for method in run.scenario.expect.keys() {
        let mut points: Vec<&str> = Vec::new();
        for cell in &run.cells {
            if !points.contains(&&*cell.point) {
                points.push(&cell.point);
            }
        }
        for point in points {
            let cells: Vec<(&CellResult, &MethodResult)> = run
                .cells
                .iter()
                .filter(|cell| cell.point == point)
                .filter_map(|cell| Some((cell, cell.figures.methods.get(method)?)))
                .filter(|(_, answered)| answered.calls > 0)
                .collect();
            let Some(unlike) = widest(method, &cells) else { continue };
            let is_known = |known: &UnlikeAnswers| {
                known.method == unlike.method
                    && known.smaller.0 == unlike.smaller.0
                    && known.larger.0 == unlike.larger.0
            };
            if !found.iter().any(is_known) {
                found.push(unlike);
            }
        }
    }
    found
}

/// The two of these cells whose answers differ most.
fn widest(method: &str, cells: &[(&CellResult, &MethodResult)]) -> Option<UnlikeAnswers> {
    let mut widest: Option<(f64, UnlikeAnswers)> = None;
    for (index, (one, of_one)) in cells.iter().enumerate() {
        for (other, of_other) in cells.iter().skip(index + 1) {
            let (of_one, of_other) = (of_one.bytes_per_call.response, of_other.bytes_per_call.response);
            // Without the information's own bytes, those of one codec say as much.
            let encoded = || of_one.encoded.zip(of_other.encoded).filter(|_| one.codec == other.codec);
            let (means, is_encoded) = match of_one.payload.zip(of_other.payload) {
                Some(means) => (means, false),
                None => match encoded() {
                    Some(means) => (means, true),
                    None => continue,
                },
            };
            let (one, other) = ((one.backend.clone(), means.0), (other.backend.clone(), means.1));
            let (smaller, larger) = if one.1 <= other.1 { (one, other) } else { (other, one) };
            let apart = larger.1 - smaller.1;
            let by = if smaller.1 > 0.0 { apart / smaller.1 } else { f64::INFINITY };
            if apart > 0.0 && by > TOLERANCE && widest.as_ref().is_none_or(|(most, _)| by > *most) {
                let method = method.to_owned();
                widest = Some((by, UnlikeAnswers { method, smaller, larger, encoded: is_encoded }));
            }
        }
    }
    widest.map(|(_, unlike)| unlike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{Cost, cells, run_of};

    /// A run of three back ends whose answers to `quote`, and to nothing else, are checked loosely.
    fn run(payload: [Option<f64>; 3], encoded: [Option<f64>; 3]) -> RunResult {
        let cost = Cost::new(1_000.0, 10.0);
        let made = [
            ("one", None, "xml", "tcp", cost),
            ("two", None, "xml", "tcp", cost),
            ("three", None, "json", "tcp", cost),
        ];
        let mut run = run_of(cells(&made, 3, 0.0, 1));
        for (index, cell) in run.cells.iter_mut().enumerate() {
            let mut answered = MethodResult { calls: 100, ..MethodResult::default() };
            answered.bytes_per_call.response.payload = payload[index];
            answered.bytes_per_call.response.encoded = encoded[index];
            cell.figures.methods.insert("quote".into(), answered.clone());
            cell.figures.methods.insert("exact".into(), answered);
        }
        run.scenario.expect.insert("quote".into(), "type".into());
        run
    }

    #[test]
    fn back_ends_whose_answers_differ_in_size_are_named() {
        let found = unlike_answers(&run([Some(100.0), Some(111.0), Some(140.0)], [None; 3]));
        let expected = UnlikeAnswers {
            method: "quote".into(),
            smaller: ("one".into(), 100.0),
            larger: ("three".into(), 140.0),
            encoded: false,
        };
        assert_eq!(found, [expected]);
        assert_eq!(unlike_answers(&run([Some(0.0), Some(0.0), Some(9.0)], [None; 3])).len(), 1);
    }

    #[test]
    fn answers_of_about_one_size_or_checked_as_a_whole_are_not() {
        assert_eq!(unlike_answers(&run([Some(100.0), Some(109.0), Some(110.0)], [None; 3])), []);
        assert_eq!(unlike_answers(&run([Some(0.0); 3], [Some(1.0), Some(2.0), Some(3.0)])), []);
        let mut exact = run([Some(1.0), Some(2.0), Some(3.0)], [None; 3]);
        exact.scenario.expect.clear();
        assert_eq!(unlike_answers(&exact), []);
    }

    #[test]
    fn without_payloads_the_bytes_of_one_codec_tell() {
        let found = unlike_answers(&run([None; 3], [Some(100.0), Some(200.0), Some(900.0)]));
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].smaller.0, &*found[0].larger.0, found[0].encoded), ("one", "two", true));
    }

    #[test]
    fn load_points_are_not_compared_with_each_other_and_a_pair_is_told_once() {
        let mut run = run([Some(100.0), Some(200.0), None], [None; 3]);
        for cell in &mut run.cells {
            cell.point = cell.backend.clone();
        }
        assert_eq!(unlike_answers(&run), [], "payloads may be swept");
        for cell in &mut run.cells {
            cell.point = "c1".into();
        }
        let mut again = run.cells.clone();
        for cell in &mut again {
            cell.point = "c2".into();
        }
        run.cells.extend(again);
        assert_eq!(unlike_answers(&run).len(), 1);
    }
}

//! Where the time of two back ends goes by the stamps inside their calls.

use serde::Serialize;

use crate::result::{CellResult, Quantiles, Stages};

/// What two back ends' stages say of their difference. All figures are means of sampled calls, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StagesDifference {
    /// Each stage that one of the two has.
    pub stages: Vec<StageRow>,
    /// The stages in groups that both have, so that they can be subtracted.
    pub groups: Vec<StageGroup>,
    /// Mean service time of the slower one's sampled calls, less that of the faster one's.
    pub service_ns: f64,
    /// What is left of that beside the groups: calls whose stages could not be told.
    pub rest_ns: f64,
}

/// A stage of a call in both back ends.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageRow {
    /// The stage, as results name it.
    pub stage: &'static str,
    /// Of the slower back end; null where it cannot be told apart.
    pub slower_ns: Option<f64>,
    /// Of the faster one.
    pub faster_ns: Option<f64>,
}

/// Stages that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageGroup {
    /// What they are.
    pub name: &'static str,
    /// Slower less faster.
    pub difference_ns: f64,
}

type Pick = fn(&Stages) -> [Option<&Quantiles>; 5];

const CONNECTING: (&str, Pick) = ("connecting", |of| [of.connecting.as_ref(), None, None, None, None]);
const FOLLOWING: (&str, Pick) =
    ("following items", |of| [of.following_items.as_ref(), None, None, None, None]);

/// Where both servers leave stamps.
const INSIDE_BOTH: [(&str, Pick); 5] = [
    CONNECTING,
    ("encoding and decoding", |of| {
        let coding = [&of.client_encode, &of.server_decode, &of.server_encode, &of.client_decode];
        let [a, b, c, d] = coding.map(Option::as_ref);
        [a, b, c, d, None]
    }),
    ("transport", |of| [of.request_transport.as_ref(), of.response_transport.as_ref(), None, None, None]),
    ("handler", |of| [of.handler.as_ref(), None, None, None, None]),
    FOLLOWING,
];

/// Where one of the servers does not.
const OUTSIDE: [(&str, Pick); 4] = [
    CONNECTING,
    ("encoding and decoding at the client", |of| {
        [of.client_encode.as_ref(), of.client_decode.as_ref(), None, None, None]
    }),
    ("transport and server", |of| match of.transport_and_server.as_ref() {
        Some(both) => [Some(both), None, None, None, None],
        None => [
            of.request_transport.as_ref(),
            of.server_decode.as_ref(),
            of.handler.as_ref(),
            of.server_encode.as_ref(),
            of.response_transport.as_ref(),
        ],
    }),
    FOLLOWING,
];

fn mean(quantiles: Option<&Quantiles>) -> Option<f64> {
    quantiles.and_then(|quantiles| quantiles.mean)
}

/// None where one of the two has no stages.
pub(super) fn stages(slower: &CellResult, faster: &CellResult) -> Option<StagesDifference> {
    let of_slower = slower.figures.stages_ns.as_ref()?;
    let of_faster = faster.figures.stages_ns.as_ref()?;
    let service_ns =
        slower.figures.stages_check?.service_mean_ns - faster.figures.stages_check?.service_mean_ns;
    let stages: Vec<StageRow> = of_slower
        .named()
        .into_iter()
        .zip(of_faster.named())
        .map(|((stage, slower), (_, faster))| StageRow {
            stage,
            slower_ns: mean(slower),
            faster_ns: mean(faster),
        })
        .filter(|row| row.slower_ns.is_some() || row.faster_ns.is_some())
        .collect();
    let is_outside = of_slower.transport_and_server.is_some() || of_faster.transport_and_server.is_some();
    let kinds: &[(&str, Pick)] = if is_outside { &OUTSIDE } else { &INSIDE_BOTH };
    let sum = |stages: &Stages, pick: Pick| {
        let means: Vec<f64> = pick(stages).into_iter().filter_map(mean).collect();
        (!means.is_empty()).then(|| means.iter().sum::<f64>())
    };
    let group = |(name, pick): &(&'static str, Pick)| {
        let (slower, faster) = (sum(of_slower, *pick), sum(of_faster, *pick));
        // Only one of the two may connect for every call: the other spends nothing on it.
        (slower.is_some() || faster.is_some())
            .then(|| StageGroup { name, difference_ns: slower.unwrap_or(0.0) - faster.unwrap_or(0.0) })
    };
    let groups: Vec<StageGroup> = kinds.iter().filter_map(group).collect();
    let rest_ns = service_ns - groups.iter().map(|group| group.difference_ns).sum::<f64>();
    Some(StagesDifference { stages, groups, service_ns, rest_ns })
}

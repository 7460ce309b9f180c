//! The shipped scenarios, inside the binary: `wirebench run seed` works where it is installed alone.

/// A shipped scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// The name, as `wirebench run NAME` takes it.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

impl Embedded {
    /// Its one-line description; empty where it has none.
    #[must_use]
    pub fn description(&self) -> String {
        let keys: Option<toml::Table> = self.text.parse().ok();
        let description = keys.as_ref().and_then(|keys| keys.get("description")?.as_str());
        description.unwrap_or_default().to_owned()
    }
}

/// Every shipped scenario.
pub const SCENARIOS: &[Embedded] = &[
    Embedded { name: "seed", text: include_str!("../../scenarios/seed.toml") },
    Embedded { name: "quick", text: include_str!("../../scenarios/quick.toml") },
    Embedded { name: "connections", text: include_str!("../../scenarios/connections.toml") },
    Embedded { name: "attribution", text: include_str!("../../scenarios/attribution.toml") },
    Embedded { name: "chatty", text: include_str!("../../scenarios/chatty.toml") },
    Embedded { name: "bulk", text: include_str!("../../scenarios/bulk.toml") },
    Embedded { name: "media-content", text: include_str!("../../scenarios/media-content.toml") },
    Embedded { name: "ycsb-a", text: include_str!("../../scenarios/ycsb-a.toml") },
    Embedded { name: "ycsb-b", text: include_str!("../../scenarios/ycsb-b.toml") },
    Embedded { name: "ycsb-c", text: include_str!("../../scenarios/ycsb-c.toml") },
    Embedded { name: "grpc-empty", text: include_str!("../../scenarios/grpc-empty.toml") },
    Embedded { name: "grpc-300-50", text: include_str!("../../scenarios/grpc-300-50.toml") },
    Embedded { name: "payload-text", text: include_str!("../../scenarios/payload-text.toml") },
    Embedded { name: "payload-bytes", text: include_str!("../../scenarios/payload-bytes.toml") },
    Embedded { name: "payload-ints", text: include_str!("../../scenarios/payload-ints.toml") },
    Embedded { name: "payload-floats", text: include_str!("../../scenarios/payload-floats.toml") },
    Embedded { name: "payload-structs", text: include_str!("../../scenarios/payload-structs.toml") },
    Embedded { name: "payload-nested", text: include_str!("../../scenarios/payload-nested.toml") },
    Embedded { name: "idle-gap", text: include_str!("../../scenarios/idle-gap.toml") },
    Embedded { name: "stall", text: include_str!("../../scenarios/stall.toml") },
    Embedded { name: "streams", text: include_str!("../../scenarios/streams.toml") },
];

/// Finds a shipped scenario by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Embedded> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

//! The shipped scenarios, inside the binary: `wirebench run seed` works where it is installed alone.

/// A shipped scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// The name, as `wirebench run NAME` takes it.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

/// Every shipped scenario.
pub const SCENARIOS: &[Embedded] = &[
    Embedded { name: "seed", text: include_str!("../../scenarios/seed.toml") },
    Embedded { name: "quick", text: include_str!("../../scenarios/quick.toml") },
    Embedded { name: "idle-gap", text: include_str!("../../scenarios/idle-gap.toml") },
    Embedded { name: "streams", text: include_str!("../../scenarios/streams.toml") },
    Embedded { name: "attribution", text: include_str!("../../scenarios/attribution.toml") },
];

/// Finds a shipped scenario by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Embedded> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

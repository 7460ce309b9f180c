//! Choices of a load that scenarios, results and hosts name alike.

use serde::{Deserialize, Serialize};

/// Declares an enum whose values have names in scenario files, results and flags.
macro_rules! named_choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ::schemars::JsonSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The name of every value, in the order of [`Self::ALL`].
            pub const NAMES: &[&str] = &[$($text),+];

            /// The name in scenarios, flags and results.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The value of a name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use named_choice;

named_choice! {
    /// The gaps between the calls of an open load.
    Arrivals {
        /// All equal.
        Constant = "constant",
        /// Exponential: the arrivals of many users who know nothing of each other.
        Poisson = "poisson",
    }
}

named_choice! {
    /// Whether connections are kept.
    #[derive(Default)]
    ConnectionMode {
        /// Opened before the warm-up and kept.
        #[default]
        Persistent = "persistent",
        /// One connection for each call.
        PerCall = "per-call",
    }
}

named_choice! {
    /// Which cores client and server get.
    #[derive(Default)]
    Placement {
        /// Each side has cores of its own.
        #[default]
        Split = "split",
        /// Both sides on one core.
        Shared = "shared",
        /// Wherever the kernel puts them.
        Free = "free",
    }
}

named_choice! {
    /// What a thread does that has nothing to do.
    #[derive(Default)]
    Idle {
        /// Sleep until there is something.
        #[default]
        Park = "park",
        /// Poll, so that the core never halts.
        Spin = "spin",
    }
}

named_choice! {
    /// The sockets beneath a transport.
    #[derive(Default)]
    Listen {
        /// A port of this machine.
        #[default]
        Tcp = "tcp",
        /// A socket in the file system.
        Unix = "unix",
    }
}

named_choice! {
    /// How messages are compressed on their way.
    #[derive(Default)]
    Compression {
        /// Not at all.
        #[default]
        None = "none",
        /// By gzip, requests and replies.
        Gzip = "gzip",
    }
}

//! The ways to run the structure. Owns what is tried.
//! Never knows which of them is best: that depends on who asks for what.

/// What earns an entry its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merit {
    /// To be used again sooner than whoever of the main circle has waited longest (LIRS).
    Recency,
    /// To have been used oftener, at the end of the window, than whoever of the main circle would go for it (TinyLFU).
    Frequency,
    /// To be used again at all, while in the window or remembered (2Q, ARC).
    Return,
    /// Nothing does: whoever was used longest ago goes (LRU).
    Age,
    /// Uses for its weight, above the level as of the last of them: whoever is lowest goes, and the level rises to where it was
    /// (GDSF). With equal weights this is LFU with ageing.
    Density,
}

/// One way. All of them read the same queues, so a change from one to another takes effect as entries move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) merit: Merit,
    /// Share of the window, in thousandths of the capacity.
    pub(super) window: u64,
    /// How deep among the ghosts of its row one still counts as remembered.
    pub(super) memory: usize,
}

/// What is tried, each the plain form of what it is taken from; the first is followed until another has done better.
pub(super) const SETTINGS: [Setting; 5] = [
    Setting { merit: Merit::Recency, window: 10, memory: 16 },
    Setting { merit: Merit::Frequency, window: 10, memory: 16 },
    Setting { merit: Merit::Density, window: 1000, memory: 16 },
    Setting { merit: Merit::Age, window: 1000, memory: 16 },
    Setting { merit: Merit::Return, window: 900, memory: 5 },
];

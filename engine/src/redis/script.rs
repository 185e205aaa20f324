//! Lua scripts and how what is asked of them is shared. Owns their names. Never runs one.

use sha1_smol::Sha1;
use std::sync::OnceLock;

/// How a script takes what is asked of it in one turn, each for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// One by one.
    None,
    /// Together: for each key so many arguments, and one element of the reply.
    Each(usize),
    /// Together, in groups: see [`Script::grouped`].
    Grouped(Grouped),
}

/// What [`Script::grouped`] takes and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouped {
    /// Arguments that all keys of a group have in common.
    pub common: usize,
    /// Arguments of each key.
    pub own: usize,
    /// Elements of the reply that are for everybody.
    pub head: usize,
    /// Elements of the reply for each key.
    pub row: usize,
}

/// A Lua script, known to Redis by its digest once it has run.
pub struct Script {
    source: &'static str,
    digest: OnceLock<String>,
    sharing: Sharing,
}

impl Script {
    /// The script with this source.
    pub const fn new(source: &'static str) -> Self {
        Script { source, digest: OnceLock::new(), sharing: Sharing::None }
    }

    /// A script that loops over its keys, each with so many arguments, and answers with one element for each: what is asked of it
    /// in one turn, each for one key, is one call where there is no cluster. Who asks gets the element of his key.
    pub const fn many(source: &'static str, args_per_key: usize) -> Self {
        Script { source, digest: OnceLock::new(), sharing: Sharing::Each(args_per_key) }
    }

    /// The same for what is asked very often. Its arguments: for each group of neighbours with the same `common` arguments how many
    /// they are, those, and the `own` ones of each. Its reply is one flat list, `head` and a `row` for each key. Who asks gets the
    /// head and the row of his key.
    pub const fn grouped(source: &'static str, grouped: Grouped) -> Self {
        Script { source, digest: OnceLock::new(), sharing: Sharing::Grouped(grouped) }
    }

    /// Whether so many arguments are those of one key.
    pub(super) fn takes(&self, arguments: usize) -> bool {
        match self.sharing {
            Sharing::None => false,
            Sharing::Each(each) => arguments == each,
            Sharing::Grouped(Grouped { common, own, .. }) => arguments == 1 + common + own,
        }
    }

    /// How it is shared.
    pub(super) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// What it says.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// The name Redis knows it by: SHA-1, in hexadecimal.
    pub fn digest(&self) -> &str {
        self.digest.get_or_init(|| Sha1::from(self.source).digest().to_string())
    }
}

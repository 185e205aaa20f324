//! Fault and its table of codes. Never formats for a person who is not a developer.

use std::fmt;

/// What went wrong, as the `E_*` code a caller can test for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A name is open with other options.
    Mismatch,
    /// The primitive behind a handle has ended.
    Disposed,
    /// An option is out of range.
    Option,
    /// A rate finer than the clock can count.
    RateTooFine,
    /// A value larger than the cache takes.
    ValueTooLarge,
    /// A file that is no dump, or none for this cache, or that could not be read or written.
    DumpFile,
    /// A defect of ours.
    Internal,
}

impl Code {
    /// The code as it is documented.
    pub const fn as_str(self) -> &'static str {
        match self {
            Code::Mismatch => "E_MISMATCH",
            Code::Disposed => "E_DISPOSED",
            Code::Option => "E_OPTION",
            Code::RateTooFine => "E_RATE_TOO_FINE",
            Code::ValueTooLarge => "E_VALUE_TOO_LARGE",
            Code::DumpFile => "E_DUMP_FILE",
            Code::Internal => "E_INTERNAL",
        }
    }
}

/// An error of this crate: a code, and a sentence that says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What a program tests for.
    pub code: Code,
    /// What a person reads.
    pub message: String,
}

impl Fault {
    /// A fault of `code` that reads `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Fault { code, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Fault {}

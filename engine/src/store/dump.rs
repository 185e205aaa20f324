//! The file a cache is written to and read from.
//! Never leaves half a file under the name it was asked for.

/// What a file says of the cache it is of.
#[derive(Clone, Copy, Debug)]
pub struct Passport<'a> {
    /// The cache's name.
    pub name: &'a str,
    /// Its version, if it has one.
    pub version: Option<&'a str>,
    /// How its values are encoded.
    pub codec: &'a str,
}

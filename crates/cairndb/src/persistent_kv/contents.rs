//! What is in a store, for whoever takes it elsewhere than into the map beside it.

use std::ops::ControlFlow;
use std::path::Path;

use super::files::find;
use super::report::Report;
use super::takeover::{Source, hold_original, refusal};
use crate::env::RealEnv;
use crate::error::{Code, Error, Result};
use crate::map::{Lookup, MapKey};

/// A key as persistent-kv has it, of whatever type the program gave it.
struct Stored(Vec<u8>);

impl Lookup for Stored {
    fn to_key(&self) -> Vec<u8> {
        self.0.clone()
    }
}

impl MapKey for Stored {
    fn from_key(bytes: &[u8]) -> Option<Self> {
        Some(Stored(bytes.to_vec()))
    }

    fn from_persistent_kv(bytes: &[u8]) -> Option<Self> {
        Some(Stored(bytes.to_vec()))
    }
}

/// Gives `sink` every change of a store of persistent-kv, in an order whose last change of a key is what is there, with
/// the keys' bytes as persistent-kv has them. `sink` can end the reading.
///
/// The store's files are only read, twice: first to see whether all of it is sound, so that `sink` is called for the whole
/// of a store or not at all. What a crash leaves, a log that ends in the middle of a record or has a hole, is sound.
///
/// # Errors
///
/// [`Code::Directory`] if there is no store, [`Code::Locked`] while persistent-kv has it open, [`Code::Corrupt`] if
/// something in it is damaged, [`Code::TooLarge`] if a key or a value is too long to be stored, [`Code::Io`].
///
/// ```
/// use std::ops::ControlFlow;
/// use cairndb::persistent_kv;
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path();
/// std::fs::write(path.join("snapshot_1_0-of-1_diff.bin"), [6, 0x0a, 1, b'k', 0x12, 1, b'v'])?;
/// let mut found = Vec::new();
/// persistent_kv::read(path, |key, value| {
///     found.push((key, value.map(<[u8]>::to_vec)));
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(found, [(b"k".to_vec(), Some(b"v".to_vec()))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(
    directory: impl AsRef<Path>,
    mut sink: impl FnMut(Vec<u8>, Option<&[u8]>) -> ControlFlow<()>,
) -> Result<()> {
    let (env, directory) = (RealEnv::new(), directory.as_ref());
    let _lock = hold_original(&env, directory)?;
    let mut report = Report::default();
    let groups = find(&env, directory, &mut report)?;
    if groups.is_empty() {
        return Err(Error::new(Code::Directory, "there are no files of persistent-kv").about(directory));
    }
    let source = Source { env: &env, directory, groups };
    source.read::<Stored>(&mut report, &mut |_, _| Ok(()))?;
    if let Some(error) = refusal(directory, &report, "restore the file from a backup") {
        return Err(error);
    }
    let mut ended = false;
    let read = source.read::<Stored>(&mut Report::default(), &mut |key, value| {
        ended = sink(key, value).is_break();
        if ended { Err(Error::new(Code::Closed, "the reading was ended")) } else { Ok(()) }
    });
    if ended { Ok(()) } else { read }
}

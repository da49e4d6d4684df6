//! What a caller asks to be written, and what became of it.

use crate::error::{Code, Error, Result};
use crate::record::Kind;

/// The longest table name, in bytes of UTF-8 (255 characters outside the basic plane need as many).
pub const MAX_TABLE_BYTES: usize = 1024;
/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// The longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 512 << 20;
/// The most that one call of [`Database::commit`](crate::Database::commit) may write, in bytes.
pub const MAX_COMMIT_BYTES: usize = 1 << 30;

/// A revision of a key dictionary; see [`Database::define_dictionary`](crate::Database::define_dictionary).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DictionaryId(pub(crate) u32);

impl DictionaryId {
    /// The number that stands for the revision, for callers that keep it as a number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The revision with that number. A number that was never given out is refused when it is used.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        DictionaryId(number)
    }
}

/// One operation on one key.
///
/// ```
/// # use cairndb::{Kind, Op};
/// let write = Op::put("users", b"u1", Kind::JSON, br#"{"name":"Alice"}"#).expires_at(1.8e12);
/// let only_if_new = Op::put("users", b"u2", Kind::BYTES, b"...").if_version(0).joined();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Op<'a> {
    pub(crate) table: &'a str,
    pub(crate) key: &'a [u8],
    pub(crate) action: Action<'a>,
    pub(crate) if_version: Option<u64>,
    pub(crate) joined: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action<'a> {
    Put {
        kind: Kind,
        value: &'a [u8],
        expiration: Option<f64>,
        dictionary: Option<DictionaryId>,
        /// The keys of the value are those of the dictionary already.
        mapped: bool,
        origin: Option<Origin>,
    },
    Delete,
    /// A delete that does nothing unless the record has expired: what a sweep does.
    Expire,
}

/// What a record of another store was, and stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) version: u64,
    /// Milliseconds since the epoch.
    pub(crate) time: u64,
}

impl<'a> Op<'a> {
    /// Writes `value` under `key`.
    #[must_use]
    pub fn put(table: &'a str, key: &'a [u8], kind: Kind, value: &'a [u8]) -> Self {
        let action = Action::Put { kind, value, expiration: None, dictionary: None, mapped: false, origin: None };
        Op { table, key, action, if_version: None, joined: false }
    }

    /// Removes the record under `key`.
    #[must_use]
    pub fn delete(table: &'a str, key: &'a [u8]) -> Self {
        Op { table, key, action: Action::Delete, if_version: None, joined: false }
    }

    pub(crate) fn expire(table: &'a str, key: &'a [u8]) -> Self {
        Op { table, key, action: Action::Expire, if_version: None, joined: false }
    }

    /// Makes the record missing once the clock is past this many milliseconds since the epoch. No effect on a delete.
    #[must_use]
    pub fn expires_at(mut self, milliseconds: f64) -> Self {
        if let Action::Put { expiration, .. } = &mut self.action {
            *expiration = Some(milliseconds);
        }
        self
    }

    /// Maps the keys of a JSON value by this dictionary. No effect on a delete.
    #[must_use]
    pub fn dictionary(mut self, id: DictionaryId) -> Self {
        if let Action::Put { dictionary, .. } = &mut self.action {
            *dictionary = Some(id);
        }
        self
    }

    /// The value is packed and has the short keys of this dictionary already: reading it gives the long ones. No effect on a
    /// delete.
    #[must_use]
    pub fn mapped_by(mut self, id: DictionaryId) -> Self {
        if let Action::Put { dictionary, mapped, .. } = &mut self.action {
            (*dictionary, *mapped) = (Some(id), true);
        }
        self
    }

    /// Gives the record this version, at least 1, and this time of writing in milliseconds since the epoch, instead of the
    /// next version and the present time: it was written elsewhere, and is taken over. Later writes count on from there.
    /// No effect on a delete.
    #[must_use]
    pub fn imported(mut self, version: u64, time: u64) -> Self {
        if let Action::Put { origin, .. } = &mut self.action {
            *origin = Some(Origin { version, time });
        }
        self
    }

    /// Does the operation only if the key's version is this one; 0 means that the key must be missing.
    #[must_use]
    pub fn if_version(mut self, version: u64) -> Self {
        self.if_version = Some(version);
        self
    }

    /// Joins the operation to the one before it: both happen or neither does.
    #[must_use]
    pub fn joined(mut self) -> Self {
        self.joined = true;
        self
    }

    /// Refuses what must never reach the journal.
    pub(crate) fn validate(&self) -> Result<()> {
        check_table(self.table)?;
        check_key(self.key)?;
        if let Action::Put { kind, value, expiration, mapped, origin, .. } = self.action {
            if value.len() > MAX_VALUE_BYTES {
                return Err(Error::new(
                    Code::TooLarge,
                    format!("a value has {} bytes, more than {MAX_VALUE_BYTES}; split it into several", value.len()),
                ));
            }
            if kind == Kind::JSON && std::str::from_utf8(value).is_err() {
                return Err(Error::new(Code::InvalidValue, "a JSON value is not UTF-8"));
            }
            if mapped && kind != Kind::PACKED {
                return Err(Error::new(
                    Code::InvalidValue,
                    "only a packed value has its keys mapped before it is written",
                ));
            }
            if expiration.is_some_and(|at| !at.is_finite()) {
                return Err(Error::new(Code::InvalidExpiration, "an expiration is not a finite number"));
            }
            // 0 means that there is no record, and the highest number leaves none for the next write.
            if let Some(Origin { version: version @ (0 | u64::MAX), .. }) = origin {
                return Err(Error::new(
                    Code::InvalidValue,
                    format!("an imported record has version {version}; versions begin at 1, and each has a next one"),
                ));
            }
        }
        Ok(())
    }
}

pub(crate) fn check_table(name: &str) -> Result<()> {
    match name.len() {
        0 => Err(Error::new(Code::InvalidTable, "a table name is empty")),
        1..=MAX_TABLE_BYTES => Ok(()),
        len => Err(Error::new(
            Code::InvalidTable,
            format!("a table name has {len} bytes, more than {MAX_TABLE_BYTES}; use a shorter one"),
        )),
    }
}

pub(crate) fn check_key(key: &[u8]) -> Result<()> {
    match key.len() {
        0 => Err(Error::new(Code::InvalidKey, "a key is empty")),
        1..=MAX_KEY_BYTES => Ok(()),
        len => Err(Error::new(
            Code::InvalidKey,
            format!("a key has {len} bytes, more than {MAX_KEY_BYTES}; use a shorter one"),
        )),
    }
}

/// What became of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written, with this version.
    Written(u64),
    /// A record was there and is deleted.
    Deleted,
    /// There was nothing to delete.
    Missing,
    /// Not done: the version was not the one that [`Op::if_version`] asked for, but this one (0: no record).
    Conflict(u64),
    /// Not done, because another operation of the same batch met a conflict.
    Aborted,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// From memory; handed to the operating system within `flush_interval`. A crash of the process takes what came since.
    Eventual,
    /// Once the operating system has it: survives the death of the process. A power cut takes at most what came
    /// since the last background sync, `syncInterval` ago.
    #[default]
    Os,
    /// Once it is on the disk.
    Full,
}

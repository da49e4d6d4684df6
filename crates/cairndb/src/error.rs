//! The one error type. Its [`Code`] is stable and part of the interface; the message is for people.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What every fallible call of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The kind of an [`Error`]. Codes are stable; new ones may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Another process holds the directory.
    Locked,
    /// Bytes on disk fail their check.
    Corrupt,
    /// The database was closed.
    Closed,
    /// An earlier write or sync failed; writes are refused until the database is reopened.
    Failed,
    /// The operating system refused an operation.
    Io,
    /// No space is left; writing works again once there is some.
    Full,
    /// The files were written by a newer version of the format.
    Format,
    /// The directory cannot be used as a database.
    Directory,
    /// A table name that is empty or too long.
    InvalidTable,
    /// A key that is empty or too long.
    InvalidKey,
    /// A value that does not fit its kind.
    InvalidValue,
    /// An expiration that is not a finite number.
    InvalidExpiration,
    /// A dictionary whose mapping is not one-to-one.
    InvalidDictionary,
    /// A dictionary number that this database never gave out.
    UnknownDictionary,
    /// An option outside its range.
    InvalidOptions,
    /// A value or a batch over its limit.
    TooLarge,
    /// A database that was opened to be read only does not write.
    ReadOnly,
    /// What was to be read beside a writer had been replaced and removed before it could be read; begin again.
    Behind,
    /// Long work was cancelled by whoever had asked for it.
    Cancelled,
    /// A defect of CairnDB itself.
    Internal,
}

impl Code {
    /// The stable text of this code, as JavaScript sees it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Locked => "ERR_CAIRN_LOCKED",
            Code::Corrupt => "ERR_CAIRN_CORRUPT",
            Code::Closed => "ERR_CAIRN_CLOSED",
            Code::Failed => "ERR_CAIRN_FAILED",
            Code::Io => "ERR_CAIRN_IO",
            Code::Full => "ERR_CAIRN_FULL",
            Code::Format => "ERR_CAIRN_FORMAT",
            Code::Directory => "ERR_CAIRN_DIRECTORY",
            Code::InvalidTable => "ERR_CAIRN_INVALID_TABLE",
            Code::InvalidKey => "ERR_CAIRN_INVALID_KEY",
            Code::InvalidValue => "ERR_CAIRN_INVALID_VALUE",
            Code::InvalidExpiration => "ERR_CAIRN_INVALID_EXPIRATION",
            Code::InvalidDictionary => "ERR_CAIRN_INVALID_DICTIONARY",
            Code::UnknownDictionary => "ERR_CAIRN_UNKNOWN_DICTIONARY",
            Code::InvalidOptions => "ERR_CAIRN_INVALID_OPTIONS",
            Code::TooLarge => "ERR_CAIRN_TOO_LARGE",
            Code::ReadOnly => "ERR_CAIRN_READONLY",
            Code::Behind => "ERR_CAIRN_BEHIND",
            Code::Cancelled => "ERR_CAIRN_CANCELLED",
            Code::Internal => "ERR_CAIRN_INTERNAL",
        }
    }
}

/// What went wrong, where, and what to do about it.
///
/// ```
/// use cairndb::{Code, Database, Options};
/// let error = Database::open("/dev/null", Options::default()).unwrap_err();
/// assert_eq!(error.code(), Code::Directory);
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: Code,
    message: String,
    path: Option<PathBuf>,
    offset: Option<u64>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Details { code, message: message.into(), path: None, offset: None }))
    }

    /// The same error, about this file.
    pub(crate) fn about(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_path_buf());
        self
    }

    /// Damage in `path` at `offset`.
    pub(crate) fn corrupt(path: &Path, offset: u64, what: impl fmt::Display) -> Self {
        let mut error = Error::new(Code::Corrupt, what.to_string()).about(path);
        error.0.offset = Some(offset);
        error
    }

    /// A file of a format that this version does not know.
    pub(crate) fn newer_format(path: &Path, version: u32) -> Self {
        Error::new(
            Code::Format,
            format!(
                "the database has format {version}, this version reads up to {}; update CairnDB",
                crate::FORMAT_VERSION
            ),
        )
        .about(path)
    }

    /// A call of the operating system that failed while `doing` something to `path`.
    pub(crate) fn io(path: &Path, doing: &str, error: &io::Error) -> Self {
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        let made = if full {
            Error::new(Code::Full, format!("could not {doing}: {error}; free some space and try again"))
        } else {
            Error::new(Code::Io, format!("could not {doing}: {error}"))
        };
        made.about(path)
    }

    /// A sync of the journal that failed, for want of space too. Never `Full`, which promises that nothing was done and
    /// that another try may help: what was to be synced may be gone.
    pub(crate) fn unsynced(path: &Path, doing: &str, error: &io::Error) -> Self {
        Error::new(Code::Io, format!("could not {doing}: {error}")).about(path)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What happened, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file that the error is about, where there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte in that file where the damage begins, where it is known.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match (&self.0.path, self.0.offset) {
            (Some(path), Some(offset)) => write!(f, " ({} at byte {offset})", path.display()),
            (Some(path), None) => write!(f, " ({})", path.display()),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

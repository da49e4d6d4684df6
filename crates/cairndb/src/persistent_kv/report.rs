//! What a take-over brought, and what it could not.

use serde_json::{Value, json};

/// What a take-over brought, and what it could not. It is kept in `takeover.json`.
///
/// ```
/// use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path();
/// let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
/// if let Some(report) = store.taken_over() {
///     for loss in &report.losses {
///         eprintln!("{} at byte {}: {}", loss.file, loss.offset, loss.reason);
///     }
/// }
/// # Ok::<(), cairndb::persistent_kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The files that were read, in this order.
    pub files: Vec<String>,
    /// How many entries the map had after the take-over.
    pub entries: u64,
    /// What was not taken over; one for each file and [`LossKind`].
    pub losses: Vec<Loss>,
}

/// Bytes of a file that were not taken over; see [`Report`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The name of the file.
    pub file: String,
    /// Why.
    pub kind: LossKind,
    /// Where the first of them is, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes were not taken over, all in all.
    pub bytes: u64,
    /// In how many places.
    pub places: u64,
    /// What is wrong with the first.
    pub reason: String,
}

/// Why bytes of a store were not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LossKind {
    /// A log ends in the middle of a record, which a crash leaves: the record was never acknowledged.
    Cut,
    /// Zeros in a log, where a crash came before a record was written, which was never acknowledged.
    Hole,
    /// Nothing that persistent-kv writes, or a file that is missing. Of a damaged file, all records before the damage
    /// were taken over.
    Damaged,
    /// A key that is not of the type of the map's keys.
    WrongKey,
    /// A key or a value that is too long to be stored.
    TooLong,
}

impl LossKind {
    const ALL: [(LossKind, &str); 5] = [
        (LossKind::Cut, "cut"),
        (LossKind::Hole, "hole"),
        (LossKind::Damaged, "damaged"),
        (LossKind::WrongKey, "wrongKey"),
        (LossKind::TooLong, "tooLong"),
    ];

    /// Whether a crash leaves this, so that nothing that was acknowledged is lost with it.
    ///
    /// ```
    /// use cairndb::persistent_kv::LossKind;
    ///
    /// assert!(LossKind::Cut.is_of_a_crash());
    /// assert!(!LossKind::Damaged.is_of_a_crash());
    /// ```
    #[must_use]
    pub fn is_of_a_crash(self) -> bool {
        matches!(self, LossKind::Cut | LossKind::Hole)
    }

    fn name(self) -> &'static str {
        LossKind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| *name)
    }

    fn named(name: &str) -> Option<Self> {
        LossKind::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl Report {
    pub(super) fn lose(&mut self, file: &str, kind: LossKind, offset: u64, bytes: u64, reason: &str) {
        match self.losses.iter_mut().find(|loss| loss.kind == kind && loss.file == file) {
            Some(loss) => {
                loss.bytes += bytes;
                loss.places += 1;
            }
            None => {
                let (file, reason) = (file.to_owned(), reason.to_owned());
                self.losses.push(Loss { file, kind, offset, bytes, places: 1, reason });
            }
        }
    }

    /// The first loss that a crash does not explain.
    pub(super) fn grave(&self) -> Option<&Loss> {
        self.losses.iter().find(|loss| !loss.kind.is_of_a_crash())
    }

    pub(super) fn to_json(&self) -> Value {
        let losses = self.losses.iter().map(|loss| {
            json!({
                "file": loss.file,
                "kind": loss.kind.name(),
                "offset": loss.offset,
                "bytes": loss.bytes,
                "places": loss.places,
                "reason": loss.reason,
            })
        });
        json!({ "files": self.files, "entries": self.entries, "losses": losses.collect::<Vec<_>>() })
    }

    pub(super) fn from_json(json: &Value) -> Option<Self> {
        let text = |json: &Value| json.as_str().map(str::to_owned);
        let loss = |json: &Value| {
            Some(Loss {
                file: text(json.get("file")?)?,
                kind: LossKind::named(json.get("kind")?.as_str()?)?,
                offset: json.get("offset")?.as_u64()?,
                bytes: json.get("bytes")?.as_u64()?,
                places: json.get("places")?.as_u64()?,
                reason: text(json.get("reason")?)?,
            })
        };
        Some(Report {
            files: json.get("files")?.as_array()?.iter().map(text).collect::<Option<_>>()?,
            entries: json.get("entries")?.as_u64()?,
            losses: json.get("losses")?.as_array()?.iter().map(loss).collect::<Option<_>>()?,
        })
    }
}

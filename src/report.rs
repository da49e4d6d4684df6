//! Figures and reports as JavaScript objects.

use cairndb::{BackupReport, Damage, KeyRange, Pruned, RepairReport, Report, Stats, TableStats};
use napi_derive::napi;

use crate::values::key_text;

/// Figures about a database: see `cairndb::Stats`. Counts and bytes are JavaScript numbers.
#[napi(object, object_from_js = false, use_nullable = true)]
pub(crate) struct RawStats {
    pub tables: Vec<RawTableStats>,
    pub live_records: f64,
    pub live_bytes: f64,
    pub memory_bytes: f64,
    pub stone_bytes: f64,
    pub journal_bytes: f64,
    pub reclaimable_bytes: f64,
    pub generation: f64,
    pub written_bytes: f64,
    pub written_records: f64,
    pub disk_written_bytes: f64,
    pub write_amplification: f64,
    pub space_amplification: f64,
    pub reads: f64,
    pub read_amplification: f64,
    pub syncs: f64,
    pub paused_nanoseconds: f64,
    pub background_error: Option<String>,
}

/// Figures about one table.
#[napi(object, object_from_js = false)]
pub(crate) struct RawTableStats {
    pub name: String,
    pub live_records: f64,
    pub live_bytes: f64,
    pub stones: Vec<f64>,
    pub content_bytes: f64,
    pub memory_bytes: f64,
}

impl From<Stats> for RawStats {
    fn from(stats: Stats) -> Self {
        RawStats {
            tables: stats.tables.into_iter().map(RawTableStats::from).collect(),
            live_records: stats.live_records as f64,
            live_bytes: stats.live_bytes as f64,
            memory_bytes: stats.memory_bytes as f64,
            stone_bytes: stats.stone_bytes as f64,
            journal_bytes: stats.journal_bytes as f64,
            reclaimable_bytes: stats.reclaimable_bytes as f64,
            generation: stats.generation as f64,
            written_bytes: stats.written_bytes as f64,
            written_records: stats.written_records as f64,
            disk_written_bytes: stats.disk_written_bytes as f64,
            write_amplification: stats.write_amplification,
            space_amplification: stats.space_amplification,
            reads: stats.reads as f64,
            read_amplification: stats.read_amplification,
            syncs: stats.syncs as f64,
            paused_nanoseconds: stats.paused_nanoseconds as f64,
            background_error: stats.background_error,
        }
    }
}

impl From<TableStats> for RawTableStats {
    fn from(table: TableStats) -> Self {
        RawTableStats {
            name: table.name,
            live_records: table.live_records as f64,
            live_bytes: table.live_bytes as f64,
            stones: table.stones.into_iter().map(|bytes| bytes as f64).collect(),
            content_bytes: table.content_bytes as f64,
            memory_bytes: table.memory_bytes as f64,
        }
    }
}

/// What was read back, and what of it is damaged.
#[napi(object, object_from_js = false)]
pub(crate) struct RawVerifyReport {
    pub files: f64,
    pub bytes: f64,
    pub checked: f64,
    pub damage: Vec<RawDamage>,
}

/// A place that is not what was written.
#[napi(object, object_from_js = false, use_nullable = true)]
pub(crate) struct RawDamage {
    pub path: String,
    pub offset: f64,
    pub bytes: Option<f64>,
    pub what: String,
    pub table: Option<String>,
    pub keys: Vec<String>,
    pub between: Option<RawKeyRange>,
}

/// The keys between two others.
#[napi(object, object_from_js = false, use_nullable = true)]
pub(crate) struct RawKeyRange {
    pub after: Option<String>,
    pub before: Option<String>,
}

/// What a repair kept, and what it had to drop.
#[napi(object, object_from_js = false, use_nullable = true)]
pub(crate) struct RawRepairReport {
    pub generation: Option<f64>,
    pub tables: f64,
    pub records: f64,
    pub damage: Vec<RawDamage>,
}

impl From<RepairReport> for RawRepairReport {
    fn from(report: RepairReport) -> Self {
        RawRepairReport {
            generation: report.generation.map(|generation| generation as f64),
            tables: report.tables as f64,
            records: report.records as f64,
            damage: report.damage.into_iter().map(RawDamage::from).collect(),
        }
    }
}

/// What a backup or a restore has written.
#[napi(object, object_from_js = false)]
pub(crate) struct RawBackupReport {
    pub tables: f64,
    pub records: f64,
    pub bytes: f64,
}

impl From<BackupReport> for RawBackupReport {
    fn from(report: BackupReport) -> Self {
        RawBackupReport { tables: report.tables as f64, records: report.records as f64, bytes: report.bytes as f64 }
    }
}

/// What was removed.
#[napi(object, object_from_js = false)]
pub(crate) struct RawPruned {
    pub generations: f64,
    pub files: f64,
    pub bytes: f64,
}

impl From<Pruned> for RawPruned {
    fn from(pruned: Pruned) -> Self {
        RawPruned { generations: pruned.generations as f64, files: pruned.files as f64, bytes: pruned.bytes as f64 }
    }
}

impl From<KeyRange> for RawKeyRange {
    fn from(range: KeyRange) -> Self {
        let text = |key: Option<Vec<u8>>| key.map(|key| key_text(&key).into_owned());
        RawKeyRange { after: text(range.after), before: text(range.before) }
    }
}

impl From<Report> for RawVerifyReport {
    fn from(report: Report) -> Self {
        RawVerifyReport {
            files: report.files as f64,
            bytes: report.bytes as f64,
            checked: report.checked as f64,
            damage: report.damage.into_iter().map(RawDamage::from).collect(),
        }
    }
}

impl From<Damage> for RawDamage {
    fn from(damage: Damage) -> Self {
        RawDamage {
            path: damage.path.to_string_lossy().into_owned(),
            offset: damage.offset as f64,
            bytes: damage.bytes.map(|bytes| bytes as f64),
            what: damage.what,
            table: damage.table,
            keys: damage.keys.iter().map(|key| key_text(key).into_owned()).collect(),
            between: damage.between.map(RawKeyRange::from),
        }
    }
}

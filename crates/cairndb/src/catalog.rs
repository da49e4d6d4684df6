//! What the database knows by name or number, and how the frames of a journal add to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;
use rpds::HashTrieMapSync;

use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::journal::{Item, ReplayedFrame};
use crate::memtable::Held;
use crate::packed::{self, Shape, Value};
use crate::read::Record;
use crate::record::{Entry, Kind};
use crate::slice::{Key, Slice};
use crate::sync::{ArcSwap, AtomicUsize, Loaded, Mutex};
use crate::table::{Recount, Table};

/// The names that the database knows at one moment. To make a copy costs the same however many there are, since it shares
/// all that does not change.
#[derive(Clone)]
pub(crate) struct Catalog {
    tables: HashTrieMapSync<String, Arc<Table>, RandomState>,
    by_id: HashTrieMapSync<u32, Arc<Table>, RandomState>,
    /// By revision.
    pub(crate) dictionaries: Arc<Vec<Arc<Dictionary>>>,
    /// By number.
    pub(crate) shapes: Arc<Vec<Arc<Shape>>>,
}

/// The catalog as it is now. Readers take it whole and never wait for the next one.
pub(crate) struct Names {
    now: ArcSwap<Catalog>,
    editing: Mutex<()>,
}

impl Names {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Names { now: ArcSwap::from_pointee(catalog), editing: Mutex::default() }
    }

    pub(crate) fn load(&self) -> Loaded<Catalog> {
        self.now.load()
    }

    /// What a writer holds while he edits.
    #[cfg(test)]
    pub(crate) fn lock_for_test(&self) -> impl Sized + '_ {
        self.editing.lock()
    }

    /// Puts a changed catalog in the place of the present one.
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        let _editing = self.editing.lock();
        let mut catalog = Catalog::clone(&self.load());
        let outcome = change(&mut catalog);
        self.now.swap(Arc::new(catalog));
        outcome
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Catalog {
            tables: HashTrieMapSync::new_with_hasher_and_ptr_kind(RandomState::default()),
            by_id: HashTrieMapSync::new_with_hasher_and_ptr_kind(RandomState::default()),
            dictionaries: Arc::default(),
            shapes: Arc::default(),
        }
    }
}

impl Catalog {
    pub(crate) fn new(
        tables: impl Iterator<Item = Arc<Table>>,
        dictionaries: &[Arc<Dictionary>],
        shapes: &[Arc<Shape>],
    ) -> Self {
        let (dictionaries, shapes) = (Arc::new(dictionaries.to_vec()), Arc::new(shapes.to_vec()));
        let mut catalog = Catalog { dictionaries, shapes, ..Catalog::default() };
        tables.for_each(|table| catalog.insert(table));
        catalog
    }

    /// All tables, in the order of their names.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        let mut tables: Vec<_> = self.tables.values().cloned().collect();
        tables.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }

    pub(crate) fn table_by_id(&self, id: u32) -> Option<&Arc<Table>> {
        self.by_id.get(&id)
    }

    pub(crate) fn insert(&mut self, table: Arc<Table>) {
        self.by_id.insert_mut(table.id, Arc::clone(&table));
        self.tables.insert_mut(table.name.clone(), table);
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Arc<Table>> {
        let table = self.by_id.get(&id).cloned()?;
        self.by_id.remove_mut(&id);
        self.tables.remove_mut(&table.name);
        Some(table)
    }

    /// Does what an item of a frame says about names. Returns the table that is no more because of it.
    pub(crate) fn define(&mut self, frame: &ReplayedFrame<'_>, item: Item<'_>) -> Result<Option<Arc<Table>>> {
        match item {
            // It is for whoever has the table's stack.
            Item::Record { .. } => {}
            Item::DefineTable { table, name } => {
                if self.table_by_id(table).is_none() {
                    self.insert(Arc::new(Table::new(table, name, Default::default(), Vec::new())));
                }
            }
            Item::DropTable { table } => {
                let dropped = self.remove(table);
                let dropped = dropped.ok_or_else(|| frame.unreadable("drops a table that was never defined"))?;
                return Ok(Some(dropped));
            }
            Item::DefineDictionary { revision, dictionary } => learn(&mut self.dictionaries, revision, dictionary)
                .ok_or_else(|| frame.unreadable("defines a dictionary out of turn"))?,
            Item::DefineShape { number, shape } => {
                learn(&mut self.shapes, number, shape).ok_or_else(|| frame.unreadable("defines a shape out of turn"))?
            }
        }
        Ok(None)
    }

    /// The keys of the shapes from number `first` on.
    pub(crate) fn shapes_from(&self, first: u32) -> Vec<Vec<String>> {
        let known = self.shapes.get(first as usize..).unwrap_or_default();
        known.iter().map(|shape| shape.keys.iter().map(|key| key.to_string()).collect()).collect()
    }

    /// The structured data of a record of the database in `directory`.
    pub(crate) fn unpack<V: AsRef<[u8]>>(&self, record: &Record<V>, directory: &Path) -> Result<Value> {
        let bytes = record.value.as_ref();
        let value = match record.kind {
            Kind::PACKED => {
                let mapped = record.mapped_by.and_then(|id| self.dictionaries.get(id.0 as usize));
                packed::decode(bytes, &self.shapes, mapped.map(|dictionary| &**dictionary))
            }
            Kind::BYTES => Some(Value::Bytes(bytes.to_vec())),
            _ => serde_json::from_slice::<serde_json::Value>(bytes).ok().map(Value::from),
        };
        value.ok_or_else(|| Error::corrupt(directory, 0, "a value is not what its kind says; run verify, or repair"))
    }

    pub(crate) fn clear_tables(&mut self) {
        *self = Catalog { dictionaries: self.dictionaries.clone(), shapes: self.shapes.clone(), ..Catalog::default() };
    }
}

/// Where the frames of a journal go: at opening, and when other processes have appended some.
pub(crate) struct Target<'a> {
    pub(crate) catalog: &'a Names,
    /// The number of the commit.
    pub(crate) sequence: u64,
    /// Bytes of all memtables; of those that are frozen.
    pub(crate) memory: &'a AtomicUsize,
    pub(crate) frozen_memory: &'a AtomicUsize,
    pub(crate) next_table: &'a mut u32,
}

impl Target<'_> {
    /// Does what a frame says.
    pub(crate) fn apply(&mut self, frame: &ReplayedFrame<'_>) -> Result<()> {
        let shared = frame.shared();
        frame.items(|item| match item {
            Item::Record { table, entry } => self.record(frame, &shared, table, &entry),
            definition => {
                if let Item::DefineTable { table, .. } = definition {
                    *self.next_table = (*self.next_table).max(table.saturating_add(1));
                }
                let dropped = self.catalog.edit(|catalog| catalog.define(frame, definition))?;
                dropped.iter().for_each(|table| self.forget(table));
                Ok(())
            }
        })
    }

    fn record(&self, frame: &ReplayedFrame<'_>, shared: &Arc<[u8]>, table: u32, entry: &Entry<'_>) -> Result<()> {
        let catalog = self.catalog.load();
        let table =
            catalog.table_by_id(table).ok_or_else(|| frame.unreadable("writes to a table that was never defined"))?;
        let levels = table.levels.load();
        let mut recount = Recount::default();
        let new = (!entry.meta.tombstone).then_some(entry.value.len());
        recount.replace(entry.key, levels.newest_meta(entry.key)?, new);
        table.recount(&recount);
        table.expires.fetch_or(entry.meta.expiration.is_some(), Ordering::AcqRel);
        let key = Key::new(shared, frame.place_of(entry.key));
        let value = Slice::new(shared, frame.place_of(entry.value));
        let held = Held { sequence: self.sequence, meta: entry.meta, value };
        let added = levels.active.insert(std::iter::once((key, held)));
        self.memory.fetch_add(added, Ordering::AcqRel);
        Ok(())
    }

    /// Lets the memory of a table go that is no more.
    fn forget(&self, table: &Table) {
        let levels = table.drop_stack();
        let frozen: usize = levels.frozen.iter().map(|memtable| memtable.bytes()).sum();
        self.memory.fetch_sub(frozen + levels.active.bytes(), Ordering::AcqRel);
        self.frozen_memory.fetch_sub(frozen, Ordering::AcqRel);
    }
}

/// Adds a definition, which is either the next one or the same as the one that is known under its number. Most are known,
/// since each checkpoint repeats them, and only a new one copies the list that others look at.
fn learn<T: PartialEq>(known: &mut Arc<Vec<Arc<T>>>, number: u32, definition: T) -> Option<()> {
    match known.get(number as usize) {
        Some(known) => (**known == definition).then_some(()),
        None if number as usize == known.len() => {
            Arc::make_mut(known).push(Arc::new(definition));
            Some(())
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_the_next_one_or_one_that_is_known() {
        let mut known = Arc::default();
        assert_eq!(learn(&mut known, 1, "b"), None);
        assert_eq!(learn(&mut known, 0, "a"), Some(()));
        assert_eq!(learn(&mut known, 0, "a"), Some(()));
        assert_eq!(learn(&mut known, 0, "b"), None);
        assert_eq!(learn(&mut known, 2, "c"), None);
        assert_eq!(learn(&mut known, 1, "b"), Some(()));
        assert_eq!(*known, [Arc::new("a"), Arc::new("b")]);
    }
}

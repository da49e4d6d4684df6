// Deliberate defects: each breaks one promise of the engine, and names the test that must notice.
//
// `from` stands exactly once in `file`; `to` is the defect. `test` is what `cargo test` is given.

const crash = ['-p', 'cairndb-sim', '--test', 'engine_crash'];
const between = ['-p', 'cairndb-sim', '--test', 'engine_between'];
const faults = ['-p', 'cairndb-sim', '--test', 'engine_faults'];
const model = ['-p', 'cairndb-sim', '--test', 'engine_model'];
const format = ['-p', 'cairndb', '--lib', 'format_tests'];
const time = ['-p', 'cairndb-sim', '--test', 'engine_time'];
const stone = ['-p', 'cairndb', '--lib', 'stone'];
const sharing = ['-p', 'cairndb-sim', '--test', 'sharing'];
const views = ['-p', 'cairndb-sim', '--test', 'views'];
const watch = ['-p', 'cairndb-sim', '--test', 'watch'];
const env = ['-p', 'cairndb', '--lib', 'env'];
const runs = ['-p', 'cairndb', '--lib', 'runs'];

const source = (name) => `crates/cairndb/src/${name}`;

export const defects = [
  {
    name: 'a write at level full is acknowledged before its sync',
    file: source('database.rs'),
    from: `        if durability == Durability::Full {
            self.sync(ticket)?;
        }
        Ok(outcomes)`,
    to: '        Ok(outcomes)',
    test: crash,
  },
  {
    name: 'a write at level os is acknowledged before the operating system has it',
    file: source('journal/writer.rs'),
    from: 'let waits = durability == Durability::Eventual && ',
    to: 'let waits = durability != Durability::Full && ',
    test: crash,
  },
  {
    name: 'a table that is dropped is acknowledged before its sync',
    file: source('database.rs'),
    from: `        if durability == Durability::Full {
            self.sync(ticket)?;
        }
        Ok(was_there)`,
    to: '        Ok(was_there)',
    test: crash,
  },
  {
    name: 'the directory is not synced for a new journal segment',
    file: source('journal/sync.rs'),
    from: '            if is_new {',
    to: '            if false {',
    test: crash,
  },
  {
    name: 'later segments are synced before earlier ones',
    file: source('journal/sync.rs'),
    from: 'for (index, segment) in segments.iter().enumerate() {',
    to: 'for (index, segment) in segments.iter().enumerate().rev() {',
    test: time,
  },
  {
    name: 'a manifest is renamed before its sync',
    file: source('manifest.rs'),
    from: '    file.sync()',
    to: '    Ok(())',
    test: crash,
  },
  {
    name: 'the directory is not synced after a manifest was renamed',
    file: source('manifest.rs'),
    from: `            .and_then(|()| env.rename(&temporary, &path))
            .and_then(|()| env.sync_dir(directory));`,
    to: '            .and_then(|()| env.rename(&temporary, &path));',
    test: crash,
  },
  {
    name: 'a manifest is written under its final name',
    file: source('manifest.rs'),
    from: `write_new(env, &temporary, &bytes)
            .and_then(|()| env.rename(&temporary, &path))`,
    to: 'write_new(env, &path, &bytes)',
    test: crash,
  },
  {
    name: 'a stone is not synced before a manifest names it',
    file: source('stone/writer.rs'),
    from: '        out.file.sync().map_err(|error| Error::io(&out.path, "sync a table file", &error))?;\n',
    to: '',
    test: crash,
  },
  {
    name: "a stone's name is not synced before a manifest names it",
    file: source('reclaim.rs'),
    from: '        self.sync_names(&generations.current, &next)?;\n',
    to: '',
    test: crash,
  },
  {
    name: 'a checkpoint gives up segments before what was carried past them is on the disk',
    file: source('checkpoint.rs'),
    from: '        self.syncer.sync_all()?;\n        let frozen',
    to: '        let frozen',
    test: crash,
  },
  {
    name: 'a checkpoint carries no tiny tables',
    file: source('checkpoint.rs'),
    from: '            self.carry(table)?;\n',
    to: '',
    test: model,
  },
  {
    name: 'a journal frame is not compared with its digest',
    file: source('journal/frame.rs'),
    from: 'if xxh3_64_with_seed(digested, place.seed(start + at as u64)) != digest {',
    to: 'if false {',
    test: format,
  },
  {
    name: "a journal frame's digest does not depend on its place",
    file: source('journal/frame.rs'),
    from: 'if xxh3_64_with_seed(digested, place.seed(start + at as u64)) != digest {',
    to: 'if xxh3_64_with_seed(digested, place.seed(0)) != digest {',
    test: format,
  },
  {
    name: 'damage to the journal is taken for a crash',
    file: source('journal/replay.rs'),
    from: '    claims(env, directory, segments, from, end)?.refuse_damage(directory, end)?;\n    Ok(end)',
    to: '    Ok(end)',
    test: format,
  },
  {
    name: 'a frame claims that everything before it is on the disk',
    file: source('journal/writer.rs'),
    from: 'let lag = self.end.offset.saturating_sub(durable);',
    to: 'let lag = 0;',
    test: crash,
  },
  {
    name: 'a segment claims that all of the one before it is on the disk',
    file: source('journal/writer.rs'),
    from: '        self.durable_before = self.durable();',
    to: '        self.durable_before = (self.end.number, self.end.offset);',
    test: crash,
  },
  {
    name: 'a generation claims that a segment was on the disk whose name was not',
    file: source('journal/writer.rs'),
    from: '        self.durable_before = self.durable();',
    to: '        self.durable_before = self.durable().max((self.end.number, 0));',
    test: between,
  },
  {
    name: 'a shape is known to this process only',
    file: source('database.rs'),
    from: '        frame.define_shape(number, &shape);\n',
    to: '',
    test: model,
  },
  {
    name: 'a value of a shape that is not there is taken',
    file: source('commit.rs'),
    from: 'value, .. } if !packed::check(value, &self.catalog.load().shapes) => {',
    to: 'value, .. } if value.is_empty() && !packed::check(value, &self.catalog.load().shapes) => {',
    test: ['-p', 'cairndb', '--test', 'writes'],
  },
  {
    name: 'a failed sync is tried again',
    file: source('journal/sync.rs'),
    from: '                state.failed.get_or_insert(error.clone());\n            }\n        }\n        let round',
    to: '            }\n        }\n        let round',
    test: faults,
  },
  {
    name: 'nobody leads the next sync unless somebody writes again',
    file: source('journal/sync.rs'),
    from: 'self.end_of(round + 1).notify_one();',
    to: '{}',
    test: ['-p', 'cairndb-schedules'],
  },
  {
    name: 'stones are merged as if nobody wrote while somebody does',
    file: source('merge.rs'),
    from: 'let is_written = inner.visible.load(Ordering::Acquire) != inner.last_seen.load(Ordering::Acquire);',
    to: 'let is_written = false;',
    test: time,
  },
  {
    name: 'a journal whose write failed is written on',
    file: source('journal/writer.rs'),
    from: '                self.syncer.fail(error.clone());\n            }\n            return Err(error);',
    to: '            }\n            return Err(error);',
    test: time,
  },
  {
    name: 'recovery syncs a tail whose pages may have been dropped, and does not write it again',
    file: source('recover.rs'),
    from: '                write_again(&*file, start..stop)?;\n',
    to: '',
    test: faults,
  },
  {
    name: 'recovery does not bring the tail of the journal to the disk',
    file: source('recover.rs'),
    from: '    make_durable(&**env, directory, &files, &chosen, end)?;\n',
    to: '',
    test: crash,
  },
  {
    name: 'recovery leaves what a crash left behind',
    file: source('recover.rs'),
    from: '    remove_orphans(&**env, directory, &files, &chosen, end)?;\n',
    to: '',
    test: crash,
  },
  {
    name: 'recovery does not go back to the generation before',
    file: source('recover.rs'),
    from: 'files.generations.iter().rev() {',
    to: 'files.generations.iter().rev().take(1) {',
    test: ['-p', 'cairndb-sim'],
  },
  {
    name: 'replay does not drop tables',
    file: source('catalog.rs'),
    from: 'let dropped = self.remove(table);',
    to: 'let dropped = self.table_by_id(table).cloned();',
    test: model,
  },
  {
    name: 'a merge drops tombstones that still hide something',
    file: source('merge.rs'),
    from: 'if bottom && entry.meta.tombstone {',
    to: 'if entry.meta.tombstone {',
    test: model,
  },
  {
    name: 'a checkpoint drops tombstones that still hide something',
    file: source('checkpoint.rs'),
    from: 'let bottom = frozen.table.levels.load().stones.is_empty();',
    to: 'let bottom = true;',
    test: model,
  },
  {
    name: 'a key that is written again while a reader puts keys in order is left out',
    file: source('memtable.rs'),
    from: 'newer == 0 || newer as usize > len',
    to: 'newer == 0',
    test: ['-p', 'cairndb-schedules'],
  },
  {
    name: 'memtables keep no version for snapshots',
    file: source('memtable.rs'),
    from: 'iter::successors(Some(newest), older).find(|version| version.held.sequence <= sequence)',
    to: 'iter::successors(Some(newest), older).take(1).find(|version| version.held.sequence <= sequence)',
    test: model,
  },
  {
    name: 'a condition is not compared',
    file: source('commit.rs'),
    from: '                if actual != expected {',
    to: '                if false {',
    test: model,
  },
  {
    name: 'only the operation whose condition fails is left out of a batch',
    file: source('commit.rs'),
    from: '                values.by_ref().take(batch.len()).for_each(drop);\n                continue;',
    to: '                values.by_ref().take(batch.len().min(1)).for_each(drop);\n                continue;',
    test: model,
  },
  {
    name: 'what has expired is still read',
    file: source('read.rs'),
    from: '!meta.tombstone && (meta.expiration.is_none() || !meta.is_expired(self.env.now()))',
    to: '!meta.tombstone',
    test: model,
  },
  {
    name: 'versions begin again with each write',
    file: source('commit.rs'),
    from: 'version: self.version(current) + 1, time: self.now',
    to: 'version: 1, time: self.now',
    test: model,
  },
  {
    name: 'replaced files are removed at once',
    file: source('reclaim.rs'),
    from: '            if age < delay {',
    to: '            if false {',
    test: time,
  },
  {
    name: 'a file that somebody reads is removed',
    file: source('reclaim.rs'),
    from: 'is_some_and(|stone| stone.strong_count() > 0)',
    to: 'is_some_and(|_| false)',
    test: time,
  },
  {
    name: 'a group of records is not compared with its checksum',
    file: source('stone/group.rs'),
    from: 'let intact = checksum(salt, at, bytes.get(CHECKSUM..end)?) == crc;',
    to: 'let intact = checksum(salt, at, bytes.get(CHECKSUM..end)?) == crc || true;',
    test: stone,
  },
  {
    name: 'of the tables of symbols only the first counts',
    file: source('stone/reader.rs'),
    from: 'symbols.or_else(|error| self.read_symbols(&source, &footer, again).map_err(|_| error))?',
    to: '{ let _ = again; symbols? }',
    test: stone,
  },
  {
    name: 'a code without a symbol stands for nothing instead of being damage',
    file: source('stone/symbols.rs'),
    from: `        let (byte, rest) = rest.split_first().filter(|_| *code == ESCAPE)?;`,
    to: `        if *code != ESCAPE {
            return Some(rest);
        }
        let (byte, rest) = rest.split_first()?;`,
    test: stone,
  },
  {
    name: 'the records of a group that was packed are given up by a repair',
    file: source('stone/salvage.rs'),
    from: `let records = group.unpack(self.symbols.as_deref())?;
        let mut found`,
    to: `let records = group.unpack(None)?;
        let mut found`,
    test: ['-p', 'cairndb-sim', '--test', 'packing'],
  },
  {
    name: 'a line of a stone is not compared with its checksum',
    file: source('stone/reader.rs'),
    from: 'Ok(sound) if checksum(footer.header.salt, offset, payload) == u32::from_le_bytes(*crc) => Ok(sound),',
    to: 'Ok(sound) => Ok(sound),',
    test: stone,
  },
  {
    name: 'a directory that another process has is opened',
    file: source('env/real.rs'),
    from: '        match file.try_lock() {\n            Ok(()) => {}',
    to: '        match file.try_lock() {\n            Ok(()) => {}\n            Err(TryLockError::WouldBlock) if file.metadata().is_ok() => {}',
    test: env,
  },
  {
    name: 'a seal of a commit is not compared',
    file: source('journal/frame.rs'),
    from: 'seal(before, body) == found',
    to: 'seal(before, body).len() == found.len()',
    test: ['-p', 'cairndb', '--lib', 'journal'],
  },
  {
    name: 'a process commits without what others have committed before',
    file: source('sharing/turn.rs'),
    from: '        self.follow_in(sharing, core)?;\n        if sharing.numbers.load(TURN) != 0 {',
    to: '        if sharing.numbers.load(TURN) != 0 {',
    test: sharing,
  },
  {
    name: 'a process reads without what others have committed before',
    file: source('sharing/follow.rs'),
    from: 'Some(sharing) if sharing.is_behind() => {\n                let mut core',
    to: 'Some(sharing) if sharing.is_behind() && self.closed.load(Ordering::Acquire) => {\n                let mut core',
    test: sharing,
  },
  {
    name: 'a frame that was never announced comes back',
    file: source('sharing/turn.rs'),
    from: '            core.journal.bury()?;\n',
    to: '',
    test: sharing,
  },
  {
    name: 'flush does not bring to the disk what other processes were told is written',
    file: source('database.rs'),
    from: '        self.0.follow()?;\n        self.0.core.lock().journal.write_out()?;',
    to: '        self.0.core.lock().journal.write_out()?;',
    test: sharing,
  },
  {
    name: 'a snapshot lets another process remove what it reads',
    file: source('read.rs'),
    from: 'levels.stones.iter().try_for_each(|layer| layer.stone.touch())?;',
    to: '',
    test: sharing,
  },
  {
    name: 'a failed sync is not told to the other processes',
    file: source('sharing/mod.rs'),
    from: '        self.numbers.store(FAILED, 1);',
    to: '        self.numbers.store(FAILED, 0);',
    test: sharing,
  },
  {
    name: 'what a dead process left of a generation stays',
    file: source('sharing/upkeep.rs'),
    from: '            remove_if_there(&*self.env, &path)?;\n        }\n        let now',
    to: '            let _ = path;\n        }\n        let now',
    test: sharing,
  },
  {
    name: 'a view does not look whether what it has read was still there',
    file: source('view.rs'),
    from: 'if is_there(env, directory, newest.manifest.generation)? { Ok(done)',
    to: 'if true { Ok(done)',
    test: views,
  },
  {
    name: 'a watch tells what a flush repeats',
    file: source('watch.rs'),
    from: 'before.is_none_or(|(before, _)| before != record)',
    to: 'before.is_none_or(|(before, _)| before != record || before == record)',
    test: watch,
  },
  {
    name: 'a watch enters a segment that nobody may know of',
    file: source('journal/tail.rs'),
    from: 'entered = next.has_frame.then_some(next);',
    to: 'entered = Some(next);',
    test: watch,
  },
  {
    name: 'a scan that ends between two layers goes on behind the record of the older one',
    file: source('runs.rs'),
    from: 'newer.show(visit)?.is_break() => return Ok(ControlFlow::Break(Edge::Before)),',
    to: 'newer.show(visit)?.is_break() => return Ok(ControlFlow::Break(Edge::Behind)),',
    test: runs,
  },
];

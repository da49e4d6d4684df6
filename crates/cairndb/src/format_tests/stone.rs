//! Stones, as FORMAT.md has them, with all that leads to their records.

use xxhash_rust::xxh3::xxh3_64;

use super::document::{Document, Struct};
use super::reader::{Cursor, Outcome, Stored, ensure, read_record, sha256};

struct Stone<'d> {
    document: &'d Document,
    bytes: &'d [u8],
    salt: u32,
    footer: Struct<'d>,
}

/// The records of a stone, after everything in it has been checked.
pub(super) fn read_stone(document: &Document, bytes: &[u8], entry: &Struct<'_>, table: u64) -> Outcome<Vec<Stored>> {
    let mut cursor = Cursor::new(bytes, 0);
    let header = document.read("stone-header", &mut cursor)?;
    let data_start = cursor.position();
    let checked = bytes.get(..data_start as usize - 4).map(crc32c::crc32c);
    ensure(checked.map(u64::from) == Some(header.number("header checksum")?), "the header fails its checksum")?;
    ensure(header.number("table")? == table, "it is another table's")?;
    let footer = read_footer(document, bytes, entry)?;
    ensure(bytes.starts_with(footer.bytes("header")?), "header and footer differ")?;

    let salt = header.number("salt")? as u32;
    let stone = Stone { document, bytes, salt, footer };
    let mut at = 0;
    let mut regions = [0; 4];
    for (place, name) in regions.iter_mut().zip(["data", "index", "blocks", "expirations"]) {
        *place = at;
        let len = stone.footer.number(&format!("{name} length"))?;
        let region = Cursor::new(bytes, at).take(len)?;
        ensure(sha256(region) == stone.footer.bytes(&format!("{name} digest"))?, "a region fails its digest")?;
        at += len;
    }
    let [_, index, blocks, expirations] = regions;
    let records = stone.records(data_start, index, header.number("base time")?)?;
    stone.check_index(index, blocks, &records)?;
    stone.check_blocks(blocks, expirations, &records)?;
    stone.check_expirations(expirations, at, &records)?;
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

fn read_footer<'a>(document: &Document, bytes: &'a [u8], entry: &Struct<'_>) -> Outcome<Struct<'a>> {
    let len = document.number("stones", "length of the footer")?;
    let start = (bytes.len() as u64).checked_sub(len).ok_or("the file is too short")?;
    let mut cursor = Cursor::new(bytes, start);
    let footer = document.read("footer", &mut cursor)?;
    ensure(cursor.is_at_end(), "the footer does not end where the file does")?;
    let digest = footer.bytes("digest")?;
    let sealed = bytes.len() - digest.len() - footer.bytes("end magic")?.len();
    ensure(sha256(&bytes[start as usize..sealed]) == digest, "the footer fails its digest")?;
    ensure(entry.bytes("digest")? == digest, "it is another stone")?;
    for field in ["records", "tombstones"] {
        ensure(footer.number(field)? == entry.number(field)?, "the manifest has other counts")?;
    }
    Ok(footer)
}

impl Stone<'_> {
    fn checksum(&self, at: u64, checked: &[u8]) -> u64 {
        let place = (at as u32).wrapping_add((at >> 32) as u32);
        u64::from(crc32c::crc32c_append(self.salt ^ place, checked))
    }

    /// The records with the places of their checksums.
    fn records(&self, start: u64, region_end: u64, base: u64) -> Outcome<Vec<(u64, Stored)>> {
        let end = self.footer.number("data end")?;
        let mut records: Vec<(u64, Stored)> = Vec::new();
        let mut cursor = Cursor::new(self.bytes, start);
        while cursor.position() < end {
            let at = cursor.position();
            let checksum = cursor.integer(4)?;
            let record = read_record(self.document, &mut cursor, base)?;
            let encoded = &self.bytes[at as usize + 4..cursor.position() as usize];
            ensure(self.checksum(at, encoded) == checksum, "a record fails its checksum")?;
            ensure(records.last().is_none_or(|(_, last)| last.key < record.key), "the keys are out of order")?;
            records.push((at, record));
        }
        ensure(cursor.position() == end, "the last record goes too far")?;
        let line = self.document.number("stones", "length of a line")?;
        ensure(region_end == end.next_multiple_of(line), "the data is not filled up to a line")?;
        let padding = cursor.take(region_end - end)?;
        ensure(padding.iter().all(|byte| *byte == 0), "the data is filled up with something")?;
        ensure(records.len() as u64 == self.footer.number("records")?, "the footer counts other records")?;
        let tombstones = records.iter().filter(|(_, record)| record.value.is_none()).count();
        ensure(tombstones as u64 == self.footer.number("tombstones")?, "the footer counts other tombstones")?;
        Ok(records)
    }

    /// The entries of each line of a region, one list for each line.
    fn lines(&self, start: u64, end: u64, section: &str) -> Outcome<Vec<Vec<Struct<'_>>>> {
        let mut cursor = Cursor::new(self.bytes, start);
        let mut lines = Vec::new();
        while cursor.position() < end {
            let at = cursor.position();
            let line = self.document.read("lines", &mut cursor)?;
            let payload = line.bytes("payload")?;
            let checksum = line.number("checksum of the payload")?;
            ensure(self.checksum(at, payload) == checksum, "a line fails its checksum")?;
            let mut entries = Vec::new();
            let mut entry = Cursor::new(payload, 0);
            while let Ok(read) = self.document.read(section, &mut entry) {
                entries.push(read);
            }
            lines.push(entries);
        }
        ensure(cursor.position() == end, "a region does not end with a line")?;
        Ok(lines)
    }

    /// The first `count` entries of a region; behind them there is nothing.
    fn entries(&self, start: u64, end: u64, section: &str, count: &str) -> Outcome<Vec<Struct<'_>>> {
        let count = self.footer.number(count)? as usize;
        let lines = self.lines(start, end, section)?;
        let per_line = lines.first().map_or(1, Vec::len);
        ensure(per_line > 0, "an entry is longer than a line")?;
        ensure(lines.len() == count.div_ceil(per_line), "a region has too many lines, or too few")?;
        Ok(lines.into_iter().flatten().take(count).collect())
    }

    fn check_index(&self, start: u64, end: u64, records: &[(u64, Stored)]) -> Outcome<()> {
        let lines = self.lines(start, end, "index-slot")?;
        let mark = self.document.number("index-slot", "bit of a mark")?;
        let mut buckets = Vec::new();
        for line in &lines {
            let slots: Outcome<Vec<_>> =
                line.iter().map(|slot| Ok((slot.number("fingerprint")?, slot.number("place")?))).collect();
            buckets.push(slots?);
        }
        let every = self.document.number("index-slot", "records for 2 buckets")?;
        ensure(buckets.len() as u64 == (2 * records.len() as u64).div_ceil(every), "there are other buckets")?;
        let used = buckets.iter().flatten().filter(|(_, place)| place % (1 << mark) != 0).count();
        ensure(used == records.len(), "the index counts other records")?;
        for (at, record) in records {
            ensure(self.find(&buckets, mark, &record.key)?.contains(at), "the index does not lead to a record")?;
        }
        Ok(())
    }

    /// The places to which the index leads for a key.
    fn find(&self, buckets: &[Vec<(u64, u64)>], mark: u64, key: &[u8]) -> Outcome<Vec<u64>> {
        let number = |name| self.document.number("index-slot", name);
        let hash = xxh3_64(key) >> number("bits of the hash that are not used")?;
        let fingerprint = hash % (1 << number("bits of a fingerprint")?);
        let used = number("bits of the hash that are used")?;
        let home = ((u128::from(hash) * buckets.len() as u128) >> used) as usize;
        let slots = buckets.get(home).ok_or("the home of a key is not there")?;
        let marked = slots.iter().filter(|(_, place)| place >> mark == 1).count();
        let further = if marked == slots.len() { buckets.len() - 1 } else { marked.min(buckets.len() - 1) };
        let searched = (0..=further).flat_map(|step| &buckets[(home + step) % buckets.len()]);
        let places = searched.filter(|(found, _)| *found == fingerprint).map(|(_, place)| place % (1 << mark));
        Ok(places.collect())
    }

    fn check_blocks(&self, start: u64, end: u64, records: &[(u64, Stored)]) -> Outcome<()> {
        let blocks = self.entries(start, end, "block-entry", "blocks")?;
        let blocks: Outcome<Vec<u64>> = blocks.iter().map(|block| block.number("offset")).collect();
        let blocks = blocks?;
        let data_end = self.footer.number("data end")?;
        ensure(blocks.first() == records.first().map(|(at, _)| at), "the first block is not the first record")?;
        for (number, from) in blocks.iter().enumerate() {
            let to = blocks.get(number + 1).copied().unwrap_or(data_end);
            let inside = records.iter().filter(|(at, _)| (*from..to).contains(at)).count();
            ensure(records.iter().any(|(at, _)| at == from), "a block begins within a record")?;
            ensure(inside == 1 || (inside > 1 && to - from <= 4096), "a block is too long")?;
        }
        Ok(())
    }

    fn check_expirations(&self, start: u64, end: u64, records: &[(u64, Stored)]) -> Outcome<()> {
        let entries = self.entries(start, end, "expiration-entry", "expirations")?;
        let listed: Outcome<Vec<(f64, u64)>> = entries
            .iter()
            .map(|entry| Ok((entry.float("expiration")?, entry.number("offset of the record's checksum")?)))
            .collect();
        let mut expected: Vec<(f64, u64)> =
            records.iter().filter_map(|(at, record)| Some((record.value.as_ref()?.expiration?, *at))).collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        ensure(listed? == expected, "the expirations are not those of the records")
    }
}

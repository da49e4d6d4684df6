//! Stones, as FORMAT.md has them, with all that leads to their records.

use xxhash_rust::xxh3::xxh3_64;

use super::document::{Document, Struct};
use super::reader::{Cursor, Outcome, Stored, ensure, read_record, region_digest, sha256};

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
    let header_end = cursor.position();
    let checked = bytes.get(..header_end as usize - 4).map(crc32c::crc32c);
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
        ensure(region_digest(region) == stone.footer.bytes(&format!("{name} digest"))?, "a region fails its digest")?;
        at += len;
    }
    let [_, index, blocks, expirations] = regions;
    let symbols = stone.symbols(header_end, index)?;
    let records = stone.records(&symbols, header.number("base time")?)?;
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

    /// The symbols, which stand in two places: behind the header, and where the last group ends.
    fn symbols(&self, first: u64, region_end: u64) -> Outcome<Vec<&[u8]>> {
        let (start, end) = (self.footer.number("data start")?, self.footer.number("data end")?);
        let (symbols, table_end) = self.symbols_at(first)?;
        let (again, again_end) = self.symbols_at(end)?;
        ensure(symbols == again, "the tables of symbols differ")?;
        ensure(table_end == start, "the first group does not follow the symbols")?;
        let line = self.document.number("stones", "length of a line")?;
        self.zeros(again_end, region_end)?;
        ensure(region_end == again_end.next_multiple_of(line), "the data is not filled up to a line")?;
        Ok(symbols)
    }

    fn symbols_at(&self, at: u64) -> Outcome<(Vec<&[u8]>, u64)> {
        let mut cursor = Cursor::new(self.bytes, at);
        let table = self.document.read("symbol-table", &mut cursor)?;
        let lengths = table.bytes("lengths")?;
        let symbols: Outcome<Vec<&[u8]>> = lengths.iter().map(|len| cursor.take(u64::from(*len))).collect();
        ensure(lengths.iter().all(|len| (1..=8).contains(len)), "a symbol is too long, or empty")?;
        let end = cursor.position();
        ensure(
            self.checksum(at, &self.bytes[at as usize + 4..end as usize]) == table.number("checksum of the rest")?,
            "a table of symbols fails its checksum",
        )?;
        Ok((symbols?, self.aligned(end)?))
    }

    /// Where the next group begins, behind nothing but zeros.
    fn aligned(&self, end: u64) -> Outcome<u64> {
        let next = end.next_multiple_of(self.document.number("group", "alignment of groups")?);
        self.zeros(end, next)?;
        Ok(next)
    }

    fn zeros(&self, from: u64, upto: u64) -> Outcome<()> {
        let between = Cursor::new(self.bytes, from).take(upto.checked_sub(from).ok_or("something goes too far")?)?;
        ensure(between.iter().all(|byte| *byte == 0), "something stands where zeros should")
    }

    /// The records with their places.
    fn records(&self, symbols: &[&[u8]], base: u64) -> Outcome<Vec<(u64, Stored)>> {
        let end = self.footer.number("data end")?;
        let number = |name| self.document.number("group", name);
        let (alignment, most) = (number("alignment of groups")?, number("records in a group, at most")?);
        let mut records: Vec<(u64, Stored)> = Vec::new();
        let (mut at, mut content) = (self.footer.number("data start")?, 0);
        while at < end {
            let (encoded, next) = self.group(at, symbols)?;
            ensure(!encoded.is_empty(), "a group is empty")?;
            content += encoded.len() as u64;
            let mut cursor = Cursor::new(&encoded, 0);
            for place in at / alignment * most.. {
                if cursor.is_at_end() {
                    break;
                }
                ensure(place < (at / alignment + 1) * most, "a group has too many records")?;
                let record = read_record(self.document, &mut cursor, base)?;
                ensure(records.last().is_none_or(|(_, last)| last.key < record.key), "the keys are out of order")?;
                records.push((place, record));
            }
            at = next;
        }
        ensure(at == end, "the last group goes too far")?;
        ensure(content == self.footer.number("content")?, "the footer has another content")?;
        ensure(records.len() as u64 == self.footer.number("records")?, "the footer counts other records")?;
        let tombstones = records.iter().filter(|(_, record)| record.value.is_none()).count();
        ensure(tombstones as u64 == self.footer.number("tombstones")?, "the footer counts other tombstones")?;
        Ok(records)
    }

    /// The encoded records of a group, and where the next one begins.
    fn group(&self, at: u64, symbols: &[&[u8]]) -> Outcome<(Vec<u8>, u64)> {
        let mut cursor = Cursor::new(self.bytes, at);
        let group = self.document.read("group", &mut cursor)?;
        let head = group.number("head")?;
        let body = cursor.take(head / 2)?;
        let end = cursor.position();
        let checked = &self.bytes[at as usize + 4..end as usize];
        ensure(self.checksum(at, checked) == group.number("checksum of the rest")?, "a group fails its checksum")?;
        if head % 2 == 0 {
            return Ok((body.to_vec(), self.aligned(end)?));
        }
        let escape = self.document.number("packed-record", "escape")?;
        let (mut packed, mut encoded) = (Cursor::new(body, 0), Vec::new());
        while !packed.is_at_end() {
            let record = self.document.read("packed-record", &mut packed)?;
            let mut codes = record.bytes("codes")?.iter();
            while let Some(code) = codes.next() {
                if u64::from(*code) == escape {
                    encoded.push(*codes.next().ok_or("nothing follows an escape")?);
                } else {
                    encoded.extend_from_slice(symbols.get(usize::from(*code)).ok_or("a code has no symbol")?);
                }
            }
        }
        Ok((encoded, self.aligned(end)?))
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
        let places = 2 * self.footer.number("data end")?;
        let width = (4..6).find(|width| places <= 1 << (8 * (width - 1) - 1)).unwrap_or(6);
        let lines = self.lines(start, end, &format!("slot-of-{width}-bytes"))?;
        let mark = 8 * (width - 1) - 1;
        let mut buckets = Vec::new();
        for line in &lines {
            let slots: Outcome<Vec<_>> =
                line.iter().map(|slot| Ok((slot.number("fingerprint")?, slot.number("place")?))).collect();
            buckets.push(slots?);
        }
        let free = self.document.number("searching-the-index", "free slots in 2 buckets")?;
        let slots = buckets.first().map_or(free, |slots| slots.len() as u64);
        let filled = (2 * slots).checked_sub(free).ok_or("more slots are free than there are")?;
        ensure(buckets.len() as u64 == (2 * records.len() as u64).div_ceil(filled), "there are other buckets")?;
        let used = buckets.iter().flatten().filter(|(_, place)| place % (1 << mark) != 0).count();
        ensure(used == records.len(), "the index counts other records")?;
        for (place, record) in records {
            ensure(self.find(&buckets, mark, &record.key)?.contains(place), "the index does not lead to a record")?;
        }
        Ok(())
    }

    /// The places to which the index leads for a key.
    fn find(&self, buckets: &[Vec<(u64, u64)>], mark: u64, key: &[u8]) -> Outcome<Vec<u64>> {
        let number = |name| self.document.number("searching-the-index", name);
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
        let mut groups: Vec<u64> = records.iter().map(|(place, _)| place / 8 * 4).collect();
        groups.dedup();
        ensure(blocks.first() == groups.first(), "the first block is not the first group")?;
        for (number, from) in blocks.iter().enumerate() {
            let to = blocks.get(number + 1).copied().unwrap_or(data_end);
            let inside = groups.iter().filter(|at| (*from..to).contains(at)).count();
            ensure(groups.contains(from), "a block begins within a group")?;
            ensure(inside == 1 || (inside > 1 && to - from <= 4096), "a block is too long")?;
        }
        Ok(())
    }

    fn check_expirations(&self, start: u64, end: u64, records: &[(u64, Stored)]) -> Outcome<()> {
        let entries = self.entries(start, end, "expiration-entry", "expirations")?;
        let listed: Outcome<Vec<(f64, u64)>> = entries
            .iter()
            .map(|entry| Ok((entry.float("expiration")?, entry.number("place of the record")?)))
            .collect();
        let mut expected: Vec<(f64, u64)> =
            records.iter().filter_map(|(at, record)| Some((record.value.as_ref()?.expiration?, *at))).collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        ensure(listed? == expected, "the expirations are not those of the records")
    }
}

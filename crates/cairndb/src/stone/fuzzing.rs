//! A stone of bytes that a fuzzer made up.

use std::path::Path;
use std::sync::Arc;

use super::digest::region_digest;
use super::format::{ALIGNMENT, CHECKSUM, FOOTER_LEN, HEADER_LEN, LINE, SEALED, checksum};
use super::symbols::Symbols;
use super::{Access, BlockCache, Packer, Seek, Stone, StoneInfo, StoneRecord, StoneWriter, key_hash};
use crate::codec::{Reader, sha256};
use crate::error::{Code, Result};
use crate::fuzzing::{MemoryFiles, assert_refusal};

const PATH: &str = "stone";
/// Where the footer's digests of the regions begin.
const REGIONS_AT: usize = 88;

/// Makes all checks of the file right, as far as its lengths lead to them. What the manifest would say of it.
pub(crate) fn mend(file: &mut [u8]) -> Option<StoneInfo> {
    let size = file.len() as u64;
    let (body, footer) = file.split_at_mut_checked(size.checked_sub(FOOTER_LEN)? as usize)?;
    let (sum, header) = (crc32c::crc32c(body.get(..28)?), body.first_chunk_mut::<32>()?);
    header.last_chunk_mut().map(|place| *place = sum.to_le_bytes())?;
    *footer.first_chunk_mut()? = *header;

    let mut reader = Reader::new(header);
    reader.take(16)?;
    let salt = reader.take(8).and_then(|_| reader.u32())?;
    let mut fields = Reader::new(footer);
    fields.take(HEADER_LEN as usize)?;
    let (records, tombstones) = (fields.u64()?, fields.u64()?);
    let data_start = fields.take(16).and_then(|_| fields.u64())?;
    let (data_end, content) = (fields.u64()?, fields.u64()?);
    mend_symbols(body, HEADER_LEN, salt);
    mend_symbols(body, data_end, salt);
    mend_groups(body, salt, data_start, data_end);

    let mut start = 0;
    for region in 0..4 {
        let field = REGIONS_AT + region * 40;
        let len = usize::try_from(Reader::new(footer.get(field..)?).u64()?).ok()?;
        let Some(bytes) = len.checked_add(start).and_then(|end| body.get_mut(start..end)) else { break };
        if region > 0 {
            mend_lines(bytes, start as u64, salt);
        }
        *footer.get_mut(field + 8..)?.first_chunk_mut()? = region_digest(bytes);
        start += len;
    }
    let digest = sha256(footer.get(..SEALED)?);
    *footer.get_mut(SEALED..)?.first_chunk_mut()? = digest;
    Some(StoneInfo { size, content, records, tombstones, digest })
}

fn mend_symbols(body: &mut [u8], at: u64, salt: u32) {
    let table = usize::try_from(at).ok().and_then(|at| body.get_mut(at..)?.split_first_chunk_mut::<CHECKSUM>());
    let Some((crc, rest)) = table else { return };
    let mut reader = Reader::new(rest);
    if Symbols::decode(&mut reader).is_some() {
        let table = rest.get(..reader.position()).unwrap_or_default();
        *crc = checksum(salt, at, table).to_le_bytes();
    }
}

fn mend_groups(body: &mut [u8], salt: u32, data_start: u64, data_end: u64) {
    let end = data_end.min(body.len() as u64) as usize;
    let mut at = data_start.min(end as u64) as usize;
    while at < end {
        let Some((crc, rest)) = body.get_mut(at..end).and_then(<[u8]>::split_first_chunk_mut::<CHECKSUM>) else {
            return;
        };
        let mut reader = Reader::new(rest);
        let len = reader.varint().and_then(|head| usize::try_from(head >> 1).ok());
        if len.and_then(|len| reader.take(len)).is_none() {
            return;
        }
        let len = reader.position();
        *crc = checksum(salt, at as u64, rest.get(..len).unwrap_or_default()).to_le_bytes();
        at = (at + CHECKSUM + len).next_multiple_of(ALIGNMENT as usize);
    }
}

fn mend_lines(region: &mut [u8], start: u64, salt: u32) {
    for (line, offset) in region.as_chunks_mut::<{ LINE as usize }>().0.iter_mut().zip((start..).step_by(LINE as usize))
    {
        if let Some((crc, payload)) = line.split_first_chunk_mut::<CHECKSUM>() {
            *crc = checksum(salt, offset, payload).to_le_bytes();
        }
    }
}

/// A record as it was read.
type Row = (Vec<u8>, Vec<u8>);

fn row(record: &StoneRecord) -> Row {
    let mut encoded = Vec::new();
    record.entry().encode(0, &mut encoded);
    (record.key().to_vec(), encoded)
}

/// Opens the bytes as a stone, reads all of it in every way and verifies it.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    let Some(info) = mend(&mut bytes) else { return };
    let table = bytes.get(12..).and_then(|rest| Reader::new(rest).u32()).unwrap_or_default();
    let env = Arc::new(MemoryFiles::default());
    env.put(Path::new(PATH), &bytes);
    let open = |access| Arc::new(Stone::new(env.clone(), PATH.into(), table, info.clone(), access));
    let Ok(cache) = BlockCache::new(1 << 20) else { return };
    let (mapped, cached) = (open(Access::Mapped), open(Access::Cached(Arc::new(cache))));

    let mut damage = 0;
    let verified = mapped.verify(&Default::default(), &mut |found| {
        assert_refusal(&found.error);
        damage += 1;
    });
    if let Err(error) = &verified {
        assert_refusal(error);
    }
    let sound = verified.is_ok() && damage == 0;
    let (rows, error) = walk(&mapped);
    let (other_rows, other_error) = walk(&cached);
    assert_eq!(rows, other_rows, "mapped, and read through the cache");
    assert_eq!(error, other_error, "mapped, and read through the cache");
    for stone in [&mapped, &cached] {
        ask(stone, &rows, sound);
    }
    if sound {
        assert_eq!((rows.len() as u64, error), (info.records, None), "a stone without damage is read to its end");
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "a stone without damage is in order");
        write_again(&env, &mapped, &rows);
    }
}

/// All records up to the first that cannot be read, and why not; in both directions, if there is none.
fn walk(stone: &Arc<Stone>) -> (Vec<Row>, Option<Code>) {
    let mut cursor = stone.cursor();
    let mut rows = Vec::new();
    loop {
        match cursor.next() {
            Ok(Some(record)) => rows.push(row(&record)),
            Ok(None) => break,
            Err(error) => {
                assert_refusal(&error);
                return (rows, Some(error.code()));
            }
        }
    }
    let mut back = Vec::new();
    while let Ok(Some(record)) = cursor.prev() {
        back.push(row(&record));
    }
    back.reverse();
    assert_eq!(back, rows, "forwards, and backwards");
    (rows, None)
}

/// Looks for each record by its key, by its place and by its expiration.
fn ask(stone: &Arc<Stone>, rows: &[Row], sound: bool) {
    for (key, encoded) in rows {
        let found = found(stone.get(key, key_hash(key)), sound);
        let sought = found_at(stone, Seek::Before(key), sound);
        if sound {
            assert_eq!(found.as_ref(), Some(encoded), "{key:?} by its key");
            assert_eq!(sought.as_ref(), Some(encoded), "{key:?} by its place");
        }
    }
    for key in [&[][..], b"k", &[0xff; 5]] {
        found(stone.get(key, key_hash(key)), sound);
        found_at(stone, Seek::After(key), sound);
    }
    let due = stone.expirations(f64::NEG_INFINITY, f64::INFINITY);
    match due {
        Ok(due) => due.for_each(|record| drop(found(record.map(Some), sound))),
        Err(error) => {
            assert_refusal(&error);
            assert!(!sound, "{error}");
        }
    }
}

fn found_at(stone: &Arc<Stone>, place: Seek<'_>, sound: bool) -> Option<Vec<u8>> {
    found(stone.cursor_at(place).and_then(|mut cursor| cursor.next()), sound)
}

fn found(record: Result<Option<StoneRecord>>, sound: bool) -> Option<Vec<u8>> {
    match record {
        Ok(record) => record.map(|record| row(&record).1),
        Err(error) => {
            assert_refusal(&error);
            assert!(!sound, "a stone without damage: {error}");
            None
        }
    }
}

/// Writes the records to another stone, which must hold the same.
fn write_again(env: &Arc<MemoryFiles>, stone: &Arc<Stone>, rows: &[Row]) {
    let path = Path::new("again");
    let sample: Vec<_> = rows.iter().map(|(_, encoded)| encoded.clone()).collect();
    let packer = Packer::new(&sample, u64::MAX);
    let copy = || -> Result<Arc<Stone>> {
        let mut writer = StoneWriter::create(&**env, path, 1, 0, packer)?;
        let mut cursor = stone.cursor();
        while let Some(record) = cursor.next()? {
            writer.add(record.entry())?;
        }
        Ok(Arc::new(Stone::new(env.clone(), path.into(), 1, writer.finish()?, Access::Mapped)))
    };
    match copy() {
        Ok(copy) => assert_eq!(walk(&copy), (rows.to_vec(), None), "written again"),
        Err(error) => assert!(error.code() == Code::TooLarge, "{error}"),
    }
}

//! The journal, as FORMAT.md has it: where it ends, and whether that is a crash or damage.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::document::{Document, Struct};
use super::reader::{Cursor, Files, Outcome, ensure, whole_manifest};

/// A segment and an offset in it, with the digest there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct End {
    pub(super) segment: u64,
    pub(super) offset: u64,
    digest: u64,
}

pub(super) struct Journal<'d> {
    document: &'d Document,
    files: &'d Files,
    database: u64,
    first: u64,
    /// What the manifests say that was on the disk.
    durable: Vec<(u64, u64)>,
}

struct Frame<'a> {
    step: i64,
    lag: u64,
    digest: u64,
    body: &'a [u8],
    items: Cursor<'a>,
    end: u64,
}

/// What a seal is of.
pub(super) struct Sealable<'a> {
    pub(super) before: u64,
    pub(super) body: &'a [u8],
}

impl<'d> Journal<'d> {
    pub(super) fn new(document: &'d Document, files: &'d Files, manifest: &Struct<'_>) -> Outcome<Self> {
        let database = manifest.number("database")?;
        let mut durable = Vec::new();
        for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".manifest")) {
            let Ok(whole) = whole_manifest(document, name, bytes) else { continue };
            if whole.number("database")? == database {
                durable.push((whole.number("durable segment")?, whole.number("durable offset")?));
            }
        }
        Ok(Journal { document, files, database, first: manifest.number("first segment")?, durable })
    }

    fn segment(&self, number: u64) -> Option<&'d [u8]> {
        self.files.get(&format!("{number:012}.journal")).map(Vec::as_slice)
    }

    /// Gives the items of each frame to `apply`, with the frame's time.
    pub(super) fn replay(&self, mut apply: impl FnMut(u64, Cursor<'_>, &Sealable<'_>) -> Outcome<()>) -> Outcome<End> {
        let mut end = End { segment: self.first - 1, ..End::default() };
        for number in self.first.. {
            let Some(segment) = self.segment(number) else { break };
            let Some((header, at)) = self.header(segment)? else { break };
            if header.number("segment")? != number {
                break;
            }
            let previous = End {
                segment: header.number("previous segment")?,
                offset: header.number("previous end")?,
                digest: header.number("previous digest")?,
            };
            if number > self.first && previous != end {
                break;
            }
            let mut time = header.number("time")?;
            end = End { segment: number, offset: at, digest: header.number("header digest")? };
            while let Some(frame) = self.frame(segment, end)? {
                time = time.wrapping_add(frame.step as u64);
                let sealable = Sealable { before: end.digest, body: frame.body };
                apply(time, frame.items, &sealable).map_err(|error| format!("frame at {}: {error}", end.offset))?;
                end = End { offset: frame.end, digest: frame.digest, ..end };
            }
        }
        self.refuse_damage(end)?;
        Ok(end)
    }

    /// The header of a segment and where it ends; `None` if it is not a valid one of this database.
    fn header(&self, segment: &'d [u8]) -> Outcome<Option<(Struct<'d>, u64)>> {
        let mut cursor = Cursor::new(segment, 0);
        let Ok(header) = self.document.read("segment-header", &mut cursor) else { return Ok(None) };
        let end = cursor.position();
        let digest = header.number("header digest")?;
        let valid = segment.get(..end as usize - size_of_val(&digest)).map(xxh3_64) == Some(digest)
            && header.number("database")? == self.database;
        Ok(valid.then_some((header, end)))
    }

    /// The frame at a place, if there is a valid one.
    fn frame(&self, segment: &'d [u8], at: End) -> Outcome<Option<Frame<'d>>> {
        let start = at.offset as usize;
        // A length of 0 is none. Zeros are many, and this is what makes passing over them quick.
        if segment.get(start..start + 4).is_none_or(|length| length == [0; 4]) {
            return Ok(None);
        }
        let mut cursor = Cursor::new(segment, at.offset);
        let Ok(fields) = self.document.read("frame", &mut cursor) else { return Ok(None) };
        let multiplier = self.document.number("frame", "multiplier of the length check")?;
        let shift = self.document.number("frame", "lower bits that the length check leaves out")?;
        let check = (fields.number("body length")?.wrapping_mul(multiplier) >> shift) as u16;
        let place = [self.database.to_le_bytes(), at.segment.to_le_bytes()].concat();
        let seed = xxh3_64(&place).wrapping_add(at.offset);
        let digest = fields.number("digest")?;
        let digested = segment.get(start.saturating_sub(8)..cursor.position() as usize - size_of_val(&digest));
        let valid = fields.bytes("length check")? == check.to_le_bytes()
            && digested.map(|bytes| xxh3_64_with_seed(bytes, seed)) == Some(digest);
        if !valid {
            return Ok(None);
        }
        let content = fields.bytes("body")?;
        let mut items = Cursor::new(content, 0);
        let body = self.document.read("body", &mut items)?;
        let (step, lag) = (body.signed("time step")?, body.number("lag")?);
        Ok(Some(Frame { step, lag, digest, body: content, items, end: cursor.position() }))
    }

    /// Looks whether anything claims that the journal had been on the disk beyond `end`.
    fn refuse_damage(&self, end: End) -> Outcome<()> {
        let at = (end.segment, end.offset);
        let known = |durable: (u64, u64)| durable.1 == 0 || durable.0 < self.first || durable <= at;
        ensure(self.durable.iter().all(|&durable| known(durable)), "a manifest knew of more of the journal")?;
        let numbers = self.files.keys().filter_map(|name| name.strip_suffix(".journal")?.parse::<u64>().ok());
        for number in numbers.filter(|number| *number >= self.first) {
            let Some(segment) = self.segment(number) else { continue };
            self.refuse_frames_behind(end, segment, number)?;
            if let Some((header, _)) = self.header(segment)? {
                let previous = (header.number("previous segment")?, header.number("previous durable")?);
                ensure(known(previous), "a header knew of more of the journal")?;
                if header.number("segment")? != number {
                    self.refuse_frames_behind(end, segment, header.number("segment")?)?;
                }
            }
        }
        Ok(())
    }

    /// Looks whether a frame behind `end` claims more than that, if this is the segment of that number.
    fn refuse_frames_behind(&self, end: End, segment: &'d [u8], number: u64) -> Outcome<()> {
        if number < end.segment {
            return Ok(());
        }
        let known = if number == end.segment { end.offset } else { 0 };
        let mut offset = known;
        while offset < segment.len() as u64 {
            let frame = self.frame(segment, End { segment: number, offset, digest: 0 })?;
            let claim = frame.as_ref().map_or(0, |frame| offset.saturating_sub(frame.lag));
            ensure(claim <= known, "a frame knew of more of the journal")?;
            offset = frame.map_or(offset + 1, |frame| frame.end);
        }
        Ok(())
    }
}

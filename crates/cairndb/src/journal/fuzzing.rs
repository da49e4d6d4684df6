//! A segment of bytes that a fuzzer made up.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::frame::{DIGEST, Frame, FrameBuilder, HEAD, Item, Place, length_check};
use super::segment::{HEADER, Header, SegmentEnd};
use super::{ReplayFrom, replay, segment_path};
use crate::codec::Reader;
use crate::fuzzing::{MemoryFiles, assert_refusal};

/// Makes the digest of the header right, and the check and the digest of each frame whose length leads to one.
pub(crate) fn mend(segment: &mut [u8]) {
    if segment.len() < HEADER {
        return;
    }
    let (front, _) = segment.split_at_mut(HEADER);
    if let Some((digested, digest)) = front.split_last_chunk_mut() {
        *digest = xxh3_64(digested).to_le_bytes();
    }
    let (database, number) = numbers(segment);
    let place = Place::new(database, number);
    let mut at = HEADER;
    while let Some(end) = frame_end(segment, at) {
        let Some((before, digest)) = segment.get_mut(at - DIGEST..end).and_then(<[u8]>::split_last_chunk_mut) else {
            return;
        };
        let length = (end - at - HEAD - DIGEST) as u32;
        if let Some(check) = before.get_mut(DIGEST + 4..).and_then(<[u8]>::first_chunk_mut) {
            *check = length_check(length).to_le_bytes();
        }
        *digest = xxh3_64_with_seed(before, place.seed(at as u64)).to_le_bytes();
        at = end;
    }
}

/// Where the frame would end that stands at an offset.
fn frame_end(segment: &[u8], at: usize) -> Option<usize> {
    let length = Reader::new(segment.get(at..)?).u32().filter(|length| *length > 0)?;
    Some(at + HEAD + length as usize + DIGEST).filter(|end| *end <= segment.len())
}

/// The numbers of the database and of the segment, as the header has them.
fn numbers(segment: &[u8]) -> (u64, u64) {
    let mut reader = Reader::new(segment);
    let mut read = || reader.take(16).and_then(|_| Some((reader.u64()?, reader.u64()?)));
    read().unwrap_or_default()
}

/// Replays the bytes as the only segment of a journal.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    mend(&mut bytes);
    let (database, number) = numbers(&bytes);
    let env = Arc::new(MemoryFiles::default());
    env.put(&segment_path(Path::new(""), number), &bytes);
    let from = ReplayFrom { database, first: number, durable: (0, 0) };
    let (mut frames, mut items, mut unreadable) = (0, 0, false);
    let ended = replay(&*env, Path::new(""), &[number], from, |frame| {
        frames += 1;
        let counted = frame.items(|item| {
            if let Item::Record { entry, .. } = item {
                let shared = frame.shared();
                assert_eq!(shared.get(frame.place_of(entry.key)), Some(entry.key), "the place of a key");
                assert_eq!(shared.get(frame.place_of(entry.value)), Some(entry.value), "the place of a value");
            }
            items += 1;
            Ok(())
        });
        unreadable |= counted.is_err();
        counted
    });
    match ended {
        Ok(end) => assert_eq!((end, frames, items), composed_again(&bytes), "the walk of the replay"),
        Err(error) => {
            assert_refusal(&error);
            assert!(unreadable || frames == 0 || composed_again(&bytes).1 == frames, "{error}: after {frames} frames");
        }
    }
}

/// Composes each frame again from what it says, which must give the same bytes. Where the walk ends, and how many
/// frames and items there were.
fn composed_again(bytes: &[u8]) -> (SegmentEnd, u64, u64) {
    let (database, number) = numbers(bytes);
    let mut end = SegmentEnd { number: number.saturating_sub(1), offset: 0, digest: 0 };
    let (mut frames, mut items) = (0, 0);
    let Ok((header, digest)) = Header::decode(bytes) else { return (end, frames, items) };
    assert_eq!(bytes.get(..HEADER), Some(&header.encode().0[..]), "{header:?} is encoded in another way");
    end = SegmentEnd { number, offset: HEADER as u64, digest };
    let (place, mut time) = (Place::new(database, number), header.time);
    while let Some(frame) = Frame::at(bytes, end.offset as usize, place) {
        let before = time;
        time = frame.time(before);
        let begun = || FrameBuilder::new(Vec::new(), time, before, frame.lag);
        let (mut again, mut sealed) = (begun(), begun().sealed());
        let read = frame.items(time, |item| {
            items += 1;
            compose(&mut again, &item);
            compose(&mut sealed, &item);
            Ok::<(), Infallible>(())
        });
        if read != Ok(None) {
            let [again, sealed] = [again, sealed].map(|frame| frame.finish(place, end.offset, end.digest));
            let same = if again.bytes().len() == frame.bytes.len() { again } else { sealed };
            assert_eq!(same.bytes(), frame.bytes, "a frame is composed in another way");
        }
        frames += 1;
        end = SegmentEnd { number, offset: end.offset + frame.bytes.len() as u64, digest: frame.digest };
    }
    (end, frames, items)
}

fn compose(frame: &mut FrameBuilder, item: &Item<'_>) {
    match item {
        Item::Record { table, entry } => drop(frame.record(*table, entry)),
        Item::DefineTable { table, name } => frame.define_table(*table, name),
        Item::DropTable { table } => frame.drop_table(*table),
        Item::DefineDictionary { revision, dictionary } => frame.define_dictionary(*revision, dictionary),
        Item::DefineShape { number, shape } => frame.define_shape(*number, shape),
    }
}

//! Frames and segments, byte by byte.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::frame::{DIGEST, Frame, FrameBuilder, HEAD, Item, Place, length_check};
use super::segment::{BadHeader, HEADER, Header, SegmentEnd, durable_claim};
use crate::record::{Entry, Kind, Meta};

const PLACE: (u64, u64) = (7, 3);

fn place() -> Place {
    Place::new(PLACE.0, PLACE.1)
}

fn header() -> Header {
    Header {
        database: PLACE.0,
        number: PLACE.1,
        time: 1_700_000_000_000,
        previous: SegmentEnd { number: 2, offset: 345, digest: 99 },
        previous_durable: 120,
    }
}

fn meta(time: u64) -> Meta {
    Meta { kind: Kind::JSON, tombstone: false, version: 1, time, expiration: None, dictionary: None }
}

/// Adds a frame with one record to a segment whose bytes up to `durable` are on the disk.
fn append(segment: &mut Vec<u8>, time: u64, previous_time: u64, durable: usize, value: &[u8]) -> usize {
    let previous = u64::from_le_bytes(segment[segment.len() - DIGEST..].try_into().unwrap());
    let lag = (segment.len() - durable) as u64;
    let mut frame = FrameBuilder::new(Vec::new(), time, previous_time, lag);
    frame.record(1, &Entry { key: b"key", meta: meta(time), value });
    let offset = segment.len();
    segment.extend_from_slice(frame.finish(place(), offset as u64, previous).bytes());
    offset
}

/// A segment of three frames, and where they start.
fn segment(durable: [usize; 3]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = header().encode().0;
    let mut time = header().time;
    let mut starts = Vec::new();
    for (index, durable) in durable.into_iter().enumerate() {
        let previous = time;
        time += 5;
        starts.push(append(&mut bytes, time, previous, durable, format!("value {index}").as_bytes()));
    }
    (bytes, starts)
}

#[test]
fn headers_round_trip_and_every_flipped_bit_is_noticed() {
    let (bytes, digest) = header().encode();
    assert_eq!(bytes.len(), HEADER);
    assert_eq!(Header::decode(&bytes), Ok((header(), digest)));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&damaged), Err(BadHeader::Invalid), "bit {bit}");
    }
    assert_eq!(Header::decode(&bytes[..HEADER - 1]), Err(BadHeader::Invalid));
}

#[test]
fn a_header_says_nothing_but_what_this_version_writes() {
    let with = |at: usize, number: u32| {
        let (mut bytes, _) = header().encode();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        let digest = xxhash_rust::xxh3::xxh3_64(&bytes[..HEADER - DIGEST]);
        bytes[HEADER - DIGEST..].copy_from_slice(&digest.to_le_bytes());
        Header::decode(&bytes).map(|(header, _)| header)
    };
    assert_eq!(with(8, crate::FORMAT_VERSION), Ok(header()));
    assert_eq!(with(8, crate::FORMAT_VERSION + 1), Err(BadHeader::Newer(crate::FORMAT_VERSION + 1)));
    assert_eq!(with(8, 0), Err(BadHeader::Invalid));
    assert_eq!(with(12, 1), Err(BadHeader::Invalid));
}

#[test]
fn a_frame_gives_back_its_items_and_their_places() {
    let (bytes, starts) = segment([0, 0, 0]);
    let frame = Frame::at(&bytes, starts[1], place()).unwrap();
    assert_eq!(frame.lag, starts[1] as u64);
    let time = frame.time(header().time + 5);
    assert_eq!(time, header().time + 10);
    let mut seen = Vec::new();
    let read = frame.items(time, |item| {
        if let Item::Record { table, entry } = item {
            seen.push((table, entry.key.to_vec(), entry.meta.time, entry.value.to_vec()));
        }
        Ok::<(), ()>(())
    });
    assert_eq!(read, Ok(Some(())));
    assert_eq!(seen, [(1, b"key".to_vec(), time, b"value 1".to_vec())]);
    assert_eq!(starts[1] + frame.bytes.len(), starts[2]);
}

#[test]
fn a_frame_is_valid_at_its_own_place_only() {
    let (bytes, starts) = segment([0, 0, 0]);
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(bytes.len());
        for bit in (start - DIGEST) * 8..end * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::at(&damaged, start, place()).is_none(), "bit {bit}");
        }
        assert!(Frame::at(&bytes[..end - 1], start, place()).is_none());
        assert!(Frame::at(&bytes, start, Place::new(PLACE.0, PLACE.1 + 1)).is_none());
        assert!(Frame::at(&bytes, start, Place::new(PLACE.0 + 1, PLACE.1)).is_none());
        let moved = [&[0][..], &bytes].concat();
        assert!(Frame::at(&moved, start + 1, place()).is_none());
    }
}

#[test]
fn zeros_are_the_end() {
    let (mut bytes, _) = segment([0, 0, 0]);
    let end = bytes.len();
    bytes.resize(end + 4096, 0);
    assert!(Frame::at(&bytes, end, place()).is_none());
    assert_eq!(length_check(0), 0);
}

#[test]
fn a_later_frame_tells_how_far_the_segment_was_on_the_disk() {
    let (_, starts) = segment([0, 0, 0]);
    let (bytes, _) = segment([0, HEADER, starts[1]]);
    assert_eq!(durable_claim(&bytes, place(), starts[1]), starts[1] as u64);
    assert_eq!(durable_claim(&bytes[..starts[2]], place(), starts[1]), HEADER as u64);
    assert_eq!(durable_claim(&bytes[..starts[1]], place(), HEADER), 0);
    // Found though the length of the frame before it is gone.
    let mut damaged = bytes.clone();
    damaged[starts[1]] ^= 0xff;
    assert_eq!(durable_claim(&damaged, place(), starts[0] + HEAD), starts[1] as u64);
}

#[test]
fn bytes_made_to_look_like_frames_everywhere_are_given_up_as_damage() {
    let length = 1_u32 << 20;
    let lure = [&length.to_le_bytes()[..], &length_check(length).to_le_bytes()].concat();
    let bytes: Vec<u8> = lure.into_iter().cycle().take(4 << 20).collect();
    assert_eq!(durable_claim(&bytes, place(), 0), u64::MAX);
}

#[test]
fn a_durable_put_of_116_bytes_writes_no_more_than_140() {
    let mut frame = FrameBuilder::new(Vec::new(), 1_000_050, 1_000_000, 0);
    frame.record(1, &Entry { key: &[b'k'; 16], meta: meta(1_000_050), value: &[b'v'; 100] });
    let written = frame.finish(place(), 80, 0).bytes().len();
    assert!(written <= 140, "{written}");
}

#[test]
fn a_seal_that_is_not_that_of_its_frame_is_refused_though_the_digest_is_right() {
    let mut bytes = header().encode().0;
    let previous = u64::from_le_bytes(bytes[HEADER - DIGEST..].try_into().unwrap());
    let mut frame = FrameBuilder::new(Vec::new(), 7, 7, 0).sealed();
    frame.record(1, &Entry { key: b"key", meta: meta(7), value: b"value" });
    bytes.extend_from_slice(frame.finish(place(), HEADER as u64, previous).bytes());
    let read = |bytes: &[u8]| {
        let mut items = 0;
        let frame = Frame::at(bytes, HEADER, place()).unwrap();
        let read = frame.items(7, |_| {
            items += 1;
            Ok::<(), ()>(())
        });
        (read, items)
    };
    assert_eq!(read(&bytes), (Ok(Some(())), 1));
    let end = bytes.len() - DIGEST;
    for changed in [end - 40, end - 1] {
        let mut forged = bytes.clone();
        forged[changed] ^= 1;
        let digest = xxh3_64_with_seed(&forged[HEADER - DIGEST..end], place().seed(HEADER as u64));
        forged[end..].copy_from_slice(&digest.to_le_bytes());
        assert_eq!(read(&forged).0, Ok(None), "byte {changed}");
    }
}

#[test]
fn a_frame_whose_length_fails_its_check_is_none_though_the_digest_is_right() {
    let (bytes, starts) = segment([0, 0, 0]);
    let (last, end) = (starts[2], bytes.len() - DIGEST);
    let with = |change: u8| {
        let mut forged = bytes.clone();
        forged[last + 4] ^= change;
        let digest = xxh3_64_with_seed(&forged[last - DIGEST..end], place().seed(last as u64));
        forged[end..].copy_from_slice(&digest.to_le_bytes());
        Frame::at(&forged, last, place()).is_some()
    };
    assert!(with(0) && !with(1));
}

#[test]
fn a_few_bytes_that_look_like_frames_are_no_damage() {
    let with_lures = |len: usize, places: &[usize], named: fn(usize) -> usize| {
        let mut bytes = vec![1; len];
        for &at in places {
            let length = (named(len - at) - HEAD - DIGEST) as u32;
            bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            bytes[at + 4..at + 6].copy_from_slice(&length_check(length).to_le_bytes());
        }
        durable_claim(&bytes, place(), 0)
    };
    // Some in a large segment, as a value has that is a journal itself; and a small one that is full of them.
    assert_eq!(with_lures(1 << 20, &[0, 100, 200, 300, 400, 500], |_| 700_000), 0);
    assert_eq!(with_lures(3000, &(0..2900).step_by(6).collect::<Vec<_>>(), |left| left), 0);
}

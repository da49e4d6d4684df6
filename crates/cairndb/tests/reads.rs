//! Reading: ranges, order, snapshots; whatever part of the stack a record lies in.

mod common;

use std::ops::{Bound, ControlFlow};

use cairndb::{Durability, Kind, Op, Options, Range, Value};
use common::{Scratch, text};

/// Ten keys, some in the memtable and some in each of two stones, with a delete and an overwrite among them.
fn layered() -> Scratch {
    let scratch = Scratch::new();
    for key in ["a", "b", "c", "d", "gone"] {
        scratch.put("t", key, "old");
    }
    scratch.db.checkpoint().unwrap();
    for key in ["b", "e", "f"] {
        scratch.put("t", key, "middle");
    }
    scratch.delete("t", "gone");
    scratch.db.checkpoint().unwrap();
    for key in ["a1", "b1", "b2", "c", "g"] {
        scratch.put("t", key, "new");
    }
    scratch
}

#[test]
fn a_scan_gives_each_key_once_in_order_with_its_newest_value() {
    let scratch = layered();
    let rows: Vec<(String, String)> = scratch
        .db
        .scan("t", &Range::all())
        .unwrap()
        .map(|row| row.map(|(key, record)| (text(&key), text(&record.value))).unwrap())
        .collect();
    let expected = [
        ("a", "old"),
        ("a1", "new"),
        ("b", "middle"),
        ("b1", "new"),
        ("b2", "new"),
        ("c", "new"),
        ("d", "old"),
        ("e", "middle"),
        ("f", "middle"),
        ("g", "new"),
    ];
    assert_eq!(rows, expected.map(|(key, value)| (key.to_string(), value.to_string())));
}

#[test]
fn a_visit_breaks_off_where_it_is_told_to_and_goes_on_from_there() {
    for (layers, reverse) in [("three", false), ("three", true), ("one", false), ("one", true)] {
        let scratch = layered();
        if layers == "one" {
            scratch.db.compact().unwrap();
        }
        let range = if reverse { Range::all().reverse() } else { Range::all() }.limit(9);
        let mut scan = scratch.db.scan("t", &range).unwrap();
        let mut keys: Vec<String> = Vec::new();
        let until = |end: &str, scan: &mut cairndb::Scan, keys: &mut Vec<String>| {
            scan.visit(usize::MAX, |key, _| {
                keys.push(text(key));
                if text(key) == end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap()
        };
        assert_eq!(scan.visit(0, |_, _| unreachable!("none was asked for")).unwrap(), 0);
        assert_eq!(until("b1", &mut scan, &mut keys), if reverse { 7 } else { 4 });
        for _ in 0..2 {
            // The second of them, forwards, is in more than one layer.
            keys.extend(scan.next().map(|row| text(&row.unwrap().0)));
        }
        assert_eq!(until("nowhere", &mut scan, &mut keys), if reverse { 0 } else { 3 }, "up to the limit");
        assert_eq!(until("nowhere", &mut scan, &mut keys), 0);
        assert_eq!(scan.size_hint(), (0, Some(0)));
        assert_eq!(keys, scratch.keys("t", &range), "{layers} layers");
    }
}

#[test]
fn a_visit_knows_the_end_of_a_range_that_others_lie_behind() {
    for layers in ["three", "one"] {
        let scratch = layered();
        if layers == "one" {
            scratch.db.compact().unwrap();
        }
        for range in [Range::prefix(b"b"), Range::prefix(b"b").reverse()] {
            let mut scan = scratch.db.scan("t", &range).unwrap();
            assert_eq!(scan.visit(usize::MAX, |_, _| ControlFlow::Continue(())).unwrap(), 3);
            assert_eq!(scan.size_hint(), (0, Some(0)), "{layers} layers");
        }
    }
}

#[test]
fn ranges_prefixes_limits_and_directions() {
    let scratch = layered();
    let between = |low, high| Range::between(low, high);
    let (b, e): (&[u8], &[u8]) = (b"b", b"e");
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(scratch.keys("t", &between(Included(b), Included(e))), ["b", "b1", "b2", "c", "d", "e"]);
    assert_eq!(scratch.keys("t", &between(Excluded(b), Excluded(e))), ["b1", "b2", "c", "d"]);
    assert_eq!(scratch.keys("t", &between(Unbounded, Excluded(b))), ["a", "a1"]);
    assert_eq!(scratch.keys("t", &between(Excluded(e), Unbounded)), ["f", "g"]);
    assert_eq!(scratch.keys("t", &between(Included(e), Included(b))), [""; 0]);
    assert_eq!(scratch.keys("t", &between(Excluded(b), Excluded(b))), [""; 0]);
    assert_eq!(scratch.keys("t", &Range::prefix(b"b")), ["b", "b1", "b2"]);
    assert_eq!(scratch.keys("t", &Range::prefix(b"b").reverse()), ["b2", "b1", "b"]);
    assert_eq!(scratch.keys("t", &Range::all().reverse().limit(3)), ["g", "f", "e"]);
    assert_eq!(scratch.keys("t", &between(Excluded(b), Included(e)).reverse().limit(2)), ["e", "d"]);
    assert_eq!(scratch.keys("t", &between(Included(b"b1"), Unbounded).with_prefix(b"b")), ["b1", "b2"]);
    assert_eq!(scratch.keys("t", &between(Unbounded, Excluded(b"b2")).with_prefix(b"b").reverse()), ["b1", "b"]);
    assert_eq!(scratch.keys("t", &between(Included(b"c"), Unbounded).with_prefix(b"b")), [""; 0]);
    assert_eq!(scratch.keys("t", &Range::all().limit(0)), [""; 0]);
    assert_eq!(scratch.keys("nothing", &Range::all()), [""; 0]);
}

#[test]
fn a_prefix_of_the_highest_bytes_has_an_end() {
    let scratch = Scratch::new();
    for key in [&[0xff][..], &[0xff, 0xff], &[0xff, 0xff, 1], &[0xfe]] {
        scratch.db.commit(&[Op::put("t", key, Kind::BYTES, b"")], Durability::Os).unwrap();
    }
    assert_eq!(scratch.db.scan("t", &Range::prefix(&[0xff, 0xff])).unwrap().count(), 2);
    assert_eq!(scratch.db.scan("t", &Range::prefix(&[0xff]).reverse()).unwrap().count(), 3);
}

#[test]
fn a_snapshot_is_not_disturbed_by_what_comes_later() {
    let scratch = layered();
    let expected: Vec<_> = scratch.keys("t", &Range::all());
    let snapshot = scratch.db.snapshot("t").unwrap();
    let mut scan = scratch.db.scan("t", &Range::all()).unwrap();
    let first = text(&scan.next().unwrap().unwrap().0);

    for round in 0..3 {
        for key in ["a", "b", "c", "zz", "a0"] {
            scratch.put("t", key, &format!("later {round}"));
        }
        scratch.delete("t", "d");
        match round {
            0 => scratch.db.checkpoint().unwrap(),
            1 => scratch.db.compact().unwrap(),
            _ => assert!(scratch.db.drop_table("t", Durability::Os).unwrap()),
        }
    }

    assert_eq!(text(&snapshot.get(b"a").unwrap().unwrap().value), "old");
    assert_eq!(text(&snapshot.get(b"d").unwrap().unwrap().value), "old");
    assert!(snapshot.get(b"zz").unwrap().is_none());
    let rest: Vec<_> = scan.map(|row| text(&row.unwrap().0)).collect();
    assert_eq!([vec![first], rest].concat(), expected);
}

#[test]
fn a_snapshot_sees_all_of_a_batch_or_nothing() {
    let scratch = Scratch::with(Options { memtable_bytes: 64 << 10, ..Options::default() });
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0_u32..3000 {
                let value = n.to_le_bytes();
                let ops: Vec<Op<'_>> =
                    [b"a", b"b", b"c"].into_iter().map(|key| Op::put("t", key, Kind::BYTES, &value)).collect();
                scratch.db.commit(&ops, Durability::Os).unwrap();
            }
            stop.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut seen = 0;
        while !stop.load(std::sync::atomic::Ordering::Acquire) {
            let rows: Vec<Vec<u8>> =
                scratch.db.scan("t", &Range::all()).unwrap().map(|row| row.unwrap().1.value.to_vec()).collect();
            assert!(rows.is_empty() || (rows.len() == 3 && rows[0] == rows[1] && rows[1] == rows[2]), "{rows:?}");
            seen += 1;
        }
        writer.join().unwrap();
        assert!(seen > 0);
    });
    assert_eq!(scratch.version("t", "a"), 3000);
}

#[test]
fn both_ways_of_reading_stones_agree() {
    for mmap in [true, false] {
        let mut scratch = Scratch::with(Options { mmap, ..Options::default() });
        for n in 0..5000 {
            scratch.put("t", &format!("{n:05}"), &"v".repeat(n % 70));
        }
        scratch.db.checkpoint().unwrap();
        scratch.reopen();
        for n in (0..5000).step_by(7) {
            let key = format!("{n:05}");
            assert_eq!(scratch.get("t", &key).unwrap().len(), n % 70);
            let shown = scratch.db.visit("t", key.as_bytes(), |record| record.value.into_owned()).unwrap();
            assert_eq!(shown, Some(vec![b'v'; n % 70]));
            assert!(!scratch.db.contains("t", &key.as_bytes()[1..]).unwrap());
        }
        assert_eq!(scratch.keys("t", &Range::prefix(b"0499")).len(), 10);
        assert_eq!(scratch.db.scan("t", &Range::all()).unwrap().count(), 5000);
    }
}

#[test]
fn what_will_expire_is_counted_in_memory_and_in_stones_until_it_is_merged_away() {
    let scratch = Scratch::new();
    let put = |key: &str, at: Option<f64>| {
        let op = Op::put("t", key.as_bytes(), Kind::BYTES, b"v");
        let op = at.map_or(op, |at| op.expires_at(at));
        scratch.db.commit(&[op], Durability::Os).unwrap();
    };
    let before = |moment| scratch.db.expirations_before("t", moment).unwrap();
    put("never", None);
    put("a", Some(4e12));
    put("b", Some(5e12));
    scratch.db.checkpoint().unwrap();
    put("c", Some(4.5e12));
    assert_eq!([4e12, 4.2e12, 4.7e12, 6e12].map(before), [0, 1, 2, 3]);
    put("a", None);
    scratch.db.compact().unwrap();
    assert_eq!([4.2e12, 6e12].map(before), [0, 2]);
    assert_eq!(scratch.db.expirations_before("no such table", 6e12).unwrap(), 0);
}

#[test]
fn a_record_is_unpacked_as_its_kind_says() {
    let scratch = Scratch::new();
    let packed = scratch.db.pack(&Value::Number(1.0)).unwrap();
    // The same bytes are two things.
    let ops = [
        Op::put("t", b"bytes", Kind::BYTES, b"1"),
        Op::put("t", b"json", Kind::JSON, b"1"),
        Op::put("t", b"packed", Kind::PACKED, &packed),
    ];
    scratch.db.commit(&ops, Durability::Os).unwrap();
    let unpacked = |key: &[u8]| scratch.db.unpack(&scratch.db.get("t", key).unwrap().unwrap()).unwrap();
    assert_eq!(unpacked(b"bytes"), Value::Bytes(b"1".to_vec()));
    assert_eq!(unpacked(b"json"), Value::Number(1.0));
    assert_eq!(unpacked(b"packed"), Value::Number(1.0));
}

//! What was written is read back, whichever way it is looked for.

use proptest::prelude::*;

use super::*;
use crate::env::RealEnv;
use crate::record::Edge;
use crate::record::visits::{edges, seen};

fn metas() -> impl Strategy<Value = Meta> {
    let value = (0..Kind::LIMIT, any::<u64>(), any::<u64>(), proptest::option::of(-50..50_i32), any::<Option<u32>>())
        .prop_map(|(kind, version, time, expiration, dictionary)| Meta {
            kind: Kind::new(kind).unwrap(),
            tombstone: false,
            version,
            time,
            expiration: expiration.map(f64::from),
            dictionary: dictionary.map(|revision| DictionaryUse { revision, mapped: revision % 2 == 0 }),
        });
    prop_oneof![4 => value, 1 => any::<u64>().prop_map(Meta::tombstone)]
}

fn models(len: usize) -> impl Strategy<Value = Model> {
    let keys = proptest::collection::vec(prop_oneof![Just(0_u8), Just(255), 97..100_u8], 0..9);
    let values = proptest::collection::vec(any::<u8>(), 0..200);
    let records = (metas(), values).prop_map(|(meta, value)| {
        let value = if meta.tombstone { Vec::new() } else { value };
        (meta, value)
    });
    proptest::collection::btree_map(keys, records, 0..len)
}

#[derive(Clone, Debug)]
enum Step {
    Next,
    Peek,
    /// So many records, and how it ends: on an edge, or else with an error.
    Visit(usize, Option<Edge>),
    Prev,
    Start,
    End,
    Before(Vec<u8>),
    After(Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = || proptest::collection::vec(prop_oneof![Just(0_u8), Just(255), 97..100_u8], 0..9);
    let step = prop_oneof![
        8 => Just(Step::Next),
        2 => Just(Step::Peek),
        4 => (0..20_usize, edges()).prop_map(|(count, edge)| Step::Visit(count, edge)),
        8 => Just(Step::Prev),
        1 => Just(Step::Start),
        1 => Just(Step::End),
        2 => keys().prop_map(Step::Before),
        2 => keys().prop_map(Step::After),
    ];
    proptest::collection::vec(step, 0..60)
}

fn entry<'a>((key, (meta, value)): (&'a Vec<u8>, &'a (Meta, Vec<u8>))) -> Entry<'a> {
    Entry { key, meta: *meta, value }
}

fn check_all(stone: &Arc<Stone>, model: &Model) {
    for (key, record) in model {
        assert_eq!(get(stone, key).unwrap().as_ref(), Some(record));
        let mut missing = key.clone();
        missing.push(1);
        assert_eq!(get(stone, &missing).unwrap(), None);
    }
    let mut cursor = stone.cursor();
    for expected in model {
        assert_eq!(cursor.next().unwrap().unwrap().entry(), entry(expected));
    }
    assert!(cursor.next().unwrap().is_none() && cursor.next().unwrap().is_none());
    for expected in model.iter().rev() {
        assert_eq!(cursor.prev().unwrap().unwrap().entry(), entry(expected));
    }
    assert!(cursor.prev().unwrap().is_none() && cursor.prev().unwrap().is_none());
    for (from, upto) in [(f64::NEG_INFINITY, f64::INFINITY), (-10.0, 10.0), (5.0, 5.0), (3.0, 4.0), (9.0, -9.0)] {
        let due = stone.expirations(from, upto).unwrap().map(|record| record.unwrap());
        let due: Vec<_> = due.map(|record| (record.meta().expiration.unwrap(), record.key().to_vec())).collect();
        assert_eq!(due, expiring(model, from, upto));
    }
}

fn walk(stone: &Arc<Stone>, model: &Model, steps: &[Step]) {
    let records: Vec<_> = model.iter().map(entry).collect();
    let mut cursor = stone.cursor();
    // How many records are in front of the gap.
    let mut gap = 0;
    for step in steps {
        match step {
            Step::Next => {
                let record = cursor.next().unwrap();
                assert_eq!(record.as_ref().map(StoneRecord::entry), records.get(gap).copied());
                gap = records.len().min(gap + 1);
            }
            Step::Peek => assert_eq!(cursor.peek().unwrap(), records.get(gap).copied()),
            Step::Visit(count, edge) => {
                let visited = seen(*count, *edge, |entry| entry.key.to_vec(), |visit| cursor.visit(visit));
                assert_eq!(visited.len(), records.len().min(gap + count) - gap);
                assert!(visited.iter().eq(records[gap..].iter().take(*count).map(|record| record.key)));
                gap += visited.len();
            }
            Step::Prev => {
                let record = cursor.prev().unwrap();
                let before = gap.checked_sub(1).map(|before| records[before]);
                assert_eq!(record.as_ref().map(StoneRecord::entry), before);
                gap = gap.saturating_sub(1);
            }
            Step::Start => (gap, cursor) = (0, stone.cursor_at(Seek::Start).unwrap()),
            Step::End => {
                cursor.seek(Seek::End).unwrap();
                gap = records.len();
            }
            Step::Before(key) => {
                cursor.seek(Seek::Before(key)).unwrap();
                gap = records.partition_point(|record| record.key < key.as_slice());
            }
            Step::After(key) => {
                cursor.seek(Seek::After(key)).unwrap();
                gap = records.partition_point(|record| record.key <= key.as_slice());
            }
        }
    }
}

proptest! {
    #[test]
    fn a_stone_reads_as_a_map_of_its_records(
        model in models(200), block in 1..2000_u64, steps in steps(), packed in 0..3_usize,
    ) {
        let env = Arc::new(MemoryEnv::default());
        let path = Path::new("1.stone");
        // With symbols that fit, and with those of other records, so that some groups are packed and some are not.
        let packer = [None, packer(&model), packer(&sample())].into_iter().nth(packed).flatten();
        let info = write_packed(&*env, path, &model, block, packer);
        prop_assert_eq!(info.size, env.bytes(path).len() as u64);
        prop_assert_eq!(info.records, model.len() as u64);
        prop_assert_eq!(info.tombstones, model.values().filter(|(meta, _)| meta.tombstone).count() as u64);
        for access in ways() {
            let stone = open(&env, path, &info, access);
            check_all(&stone, &model);
            walk(&stone, &model, &steps);
            stone.verify(&Default::default(), &mut |damage| panic!("{damage:?}")).unwrap();
        }
    }
}

#[test]
fn stones_of_the_real_environment_read_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("1.stone");
    let env = Arc::new(RealEnv::new());
    let mut model = sample();
    // More than one chunk of the writer, and records longer than a block.
    for i in 0..5_000_u32 {
        model.insert(format!("more/{i:05}").into_bytes(), (meta(1, None), vec![i as u8; 100]));
    }
    for (i, len) in [4000, 4096, 5000, 300_000].into_iter().enumerate() {
        model.insert(vec![b'n', i as u8], (meta(1, None), vec![9; len]));
    }
    let info = write(&*env, &path, &model, 4096);
    for access in ways() {
        let env = Arc::clone(&env) as Arc<dyn Env>;
        let stone = Arc::new(Stone::new(env, path.clone(), TABLE, info.clone(), access));
        check_all(&stone, &model);
        stone.verify(&Default::default(), &mut |damage| panic!("{damage:?}")).unwrap();
    }
}

fn check_model(model: &Model) -> StoneInfo {
    check_packed(model, packer(&sample()));
    check_packed(model, None)
}

fn check_packed(model: &Model, packer: Option<Packer>) -> StoneInfo {
    let env = Arc::new(MemoryEnv::default());
    let path = Path::new("1.stone");
    let info = write_packed(&*env, path, model, 4096, packer);
    for access in ways() {
        let stone = open(&env, path, &info, access);
        check_all(&stone, model);
        walk(
            &stone,
            model,
            &[Step::End, Step::Prev, Step::Before(vec![]), Step::Next, Step::After(vec![255]), Step::Prev],
        );
        stone.verify(&Default::default(), &mut |damage| panic!("{damage:?}")).unwrap();
    }
    info
}

#[test]
fn an_empty_stone() {
    assert_eq!(check_model(&Model::new()).records, 0);
}

#[test]
fn one_record_and_one_tombstone() {
    check_model(&Model::from([(b"only".to_vec(), (meta(1, Some(3.0)), b"one".to_vec()))]));
    let info = check_model(&Model::from([(b"gone".to_vec(), (Meta::tombstone(5), vec![]))]));
    assert_eq!((info.records, info.tombstones), (1, 1));
}

#[test]
fn a_huge_value_between_small_ones() {
    let huge: Vec<u8> = (0..9_000_000_u32).map(|i| (i >> 3) as u8).collect();
    check_model(&Model::from([
        (b"a".to_vec(), (meta(1, None), vec![1])),
        (b"b".to_vec(), (meta(2, Some(1.0)), huge)),
        (b"c".to_vec(), (meta(3, None), vec![])),
    ]));
}

#[test]
fn keys_of_1024_bytes_that_differ_in_the_last() {
    let key = |last: u8| [vec![b'k'; 1023], vec![last]].concat();
    check_model(&(0..=255).map(|last| (key(last), (meta(1, None), vec![last]))).collect());
}

#[test]
fn special_expirations_are_kept_and_only_those_that_come_are_listed() {
    let nan = [f64::NAN.copysign(1.0), f64::NAN.copysign(-1.0)];
    let times = [f64::NEG_INFINITY, -1.0, -0.0, 0.0, f64::MIN_POSITIVE, 1e300, f64::INFINITY, nan[0], nan[1]];
    let env = Arc::new(MemoryEnv::default());
    let path = Path::new("1.stone");
    let model = times.iter().enumerate().map(|(i, at)| (vec![i as u8], (meta(1, Some(*at)), vec![]))).collect();
    let info = write(&*env, path, &model, 4096);
    for access in ways() {
        let stone = open(&env, path, &info, access);
        let due = |upto| stone.expirations(f64::NEG_INFINITY, upto).unwrap().map(|record| record.unwrap().key()[0]);
        assert_eq!(due(0.0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(due(f64::INFINITY).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert!([7, 8].iter().all(|key| get(&stone, &[*key]).unwrap().unwrap().0.expiration.unwrap().is_nan()));
        stone.verify(&Default::default(), &mut |damage| panic!("{damage:?}")).unwrap();
    }
}

#[test]
fn a_record_outlives_its_stone_and_its_file() {
    let env = Arc::new(MemoryEnv::default());
    let path = Path::new("1.stone");
    let info = write(&*env, path, &sample(), 256);
    for access in ways() {
        let stone = open(&env, path, &info, access);
        let record = stone.get(b"key/007", key_hash(b"key/007")).unwrap().unwrap();
        drop(stone);
        assert_eq!((record.key(), record.value()), (&b"key/007"[..], &b"a value of 7a value of 7"[..]));
    }
}

#[test]
fn packed_records_take_less_room_and_several_share_a_group() {
    let model: Model = (0..1000_u32)
        .map(|i| {
            (format!("user:{i:07}").into_bytes(), (meta(1, None), format!("user-{i:07}@example.com").into_bytes()))
        })
        .collect();
    let env = Arc::new(MemoryEnv::default());
    let plain = write(&*env, Path::new("1.stone"), &model, 4096);
    let packed = write_packed(&*env, Path::new("2.stone"), &model, 4096, packer(&model));
    assert_eq!((plain.content, plain.records), (packed.content, packed.records));
    assert!(packed.size * 2 < plain.size, "{packed:?} {plain:?}");
    let stone = open(&env, Path::new("2.stone"), &packed, Access::Mapped);
    check_all(&stone, &model);
    let mut sampled = 0;
    stone
        .sample(100, &mut |entry| {
            assert_eq!(model[entry.key].1, entry.value);
            sampled += 1;
        })
        .unwrap();
    assert!((50..=200).contains(&sampled), "{sampled}");
}

#[test]
fn large_values_are_packed_and_enormous_ones_are_not() {
    let text = |len: usize| "the quick brown fox jumps over the lazy dog. ".repeat(len / 45).into_bytes();
    let model: Model = [(1, 5_000), (2, 60_000), (3, 250_000), (4, 600_000)]
        .map(|(key, len)| (vec![key], (meta(1, None), text(len))))
        .into();
    let env = Arc::new(MemoryEnv::default());
    let info = write_packed(&*env, Path::new("1.stone"), &model, 4096, packer(&model));
    assert!((600_000..800_000).contains(&info.size), "{info:?}");
    for access in ways() {
        check_all(&open(&env, Path::new("1.stone"), &info, access), &model);
    }
}

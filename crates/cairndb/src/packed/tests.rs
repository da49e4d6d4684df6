use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// Packs with shapes that are made as they are needed, up to `limit` of them.
fn pack(value: &Value, shapes: &mut Vec<Arc<Shape>>, limit: usize) -> Vec<u8> {
    let mut shape_of = |keys: &[&str]| {
        let Ok(shape) = Shape::new(keys.iter().copied()) else { return Ok(None) };
        if let Some(known) = shapes.iter().position(|known| **known == shape) {
            return Ok(Some(known as u32));
        }
        if shapes.len() >= limit {
            return Ok(None);
        }
        shapes.push(Arc::new(shape));
        Ok(Some(shapes.len() as u32 - 1))
    };
    encode(value, &mut shape_of).unwrap()
}

fn packed(value: &Value) -> Vec<u8> {
    pack(value, &mut Vec::new(), 0)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<i8>().prop_map(f64::from),
        any::<i32>().prop_map(f64::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(|integer| integer as f64),
        any::<f32>().prop_map(f64::from),
        any::<f64>(),
    ]
    .prop_filter("NaN is not equal to itself", |number| !number.is_nan())
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        ".{0,80}".prop_map(Text::Utf8),
        "[a-z]{0,200}".prop_map(Text::Utf8),
        proptest::collection::vec(any::<u16>(), 0..6).prop_map(Text::Utf16),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::Undefined),
        any::<bool>().prop_map(Value::Boolean),
        number().prop_map(Value::Number),
        number().prop_map(Value::Date),
        any::<i128>().prop_map(|integer| Value::BigInteger(integer.to_string())),
        text().prop_map(Value::String),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(kind, bytes)| Value::Elements(Elements { kind, bytes })),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let members = proptest::collection::vec(("[a-d]{1,2}", inner.clone()), 0..6).prop_map(|mut members| {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            members.dedup_by(|a, b| a.0 == b.0);
            Value::Object(members.into_iter().map(|(key, value)| (Text::Utf8(key), value)).collect())
        });
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Set),
            proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
            members,
        ]
    })
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(values in proptest::collection::vec(value(), 1..4), limit in 0_usize..5) {
        let mut shapes = Vec::new();
        let packed: Vec<Vec<u8>> = values.iter().map(|value| pack(value, &mut shapes, limit)).collect();
        for (value, bytes) in values.iter().zip(&packed) {
            prop_assert!(check(bytes, &shapes));
            prop_assert_eq!(decode(bytes, &shapes, None), Some(value.clone()));
        }
    }

    #[test]
    fn bytes_are_a_value_if_they_can_be_read(
        value in value(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut shapes = Vec::new();
        let mut bytes = pack(&value, &mut shapes, 3);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(check(&bytes, &shapes), decode(&bytes, &shapes, None).is_some());
        bytes.truncate(cut.index(bytes.len()));
        prop_assert_eq!(check(&bytes, &shapes), decode(&bytes, &shapes, None).is_some());
    }
}

#[test]
fn numbers_take_as_few_bytes_as_they_can() {
    let head = |number: f64| packed(&Value::Number(number))[1..].to_vec();
    assert_eq!(head(0.0), [0]);
    assert_eq!(head(127.0), [0x7f]);
    assert_eq!(head(128.0), [0xc8, 0x80]);
    assert_eq!(head(256.0), [0xc9, 0, 1]);
    assert_eq!(head(9_007_199_254_740_991.0), [0xce, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]);
    assert_eq!(head(-1.0), [0xef]);
    assert_eq!(head(-16.0), [0xe0]);
    assert_eq!(head(-17.0), [0xd0, 16]);
    assert_eq!(head(-257.0), [0xd1, 0, 1]);
    assert_eq!(head(100.25), [0xc6, 0, 0x80, 0xc8, 0x42]);
    assert_eq!(head(-0.0), [0xc6, 0, 0, 0, 0x80]);
    assert_eq!(head(f64::NAN), [0xc6, 0, 0, 0xc0, 0x7f]);
    assert_eq!(head(0.1).len(), 9);
    assert_eq!(head(1e300).len(), 9);
}

#[test]
fn an_object_is_its_shape_and_its_values() {
    let mut shapes = Vec::new();
    let user = Value::from(serde_json::json!({ "age": 36, "name": "Zoë", "tags": ["a", "b"] }));
    let bytes = pack(&user, &mut shapes, 8);
    assert_eq!(bytes, [b"\x06\xf0\x24\x83\xb2\x81\x81".as_slice(), "Zoëab".as_bytes()].concat());
    assert_eq!(shapes[0].keys, ["age".into(), "name".into(), "tags".into()]);
    let without_age = [b"\x05\xda\x00\x06\x81\xb0".as_slice(), b"x"].concat();
    let expected = Value::from(serde_json::json!({ "name": "x", "tags": [] }));
    assert!(check(&without_age, &shapes));
    assert_eq!(decode(&without_age, &shapes, None), Some(expected));
}

#[test]
fn a_long_head_has_a_long_length() {
    for len in [252, 253, 254, 255, 256, 70_000] {
        let value = Value::Bytes(vec![7; len]);
        let bytes = packed(&value);
        assert!(check(&bytes, &[]));
        assert_eq!(decode(&bytes, &[], None), Some(value), "{len}");
    }
}

#[test]
fn what_is_nested_too_deep_is_refused_and_not_read() {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |value, _| Value::List(vec![value]));
    let deepest = packed(&nested(MAX_DEPTH));
    assert!(check(&deepest, &[]));
    assert!(decode(&deepest, &[], None).is_some());
    assert!(encode(&nested(MAX_DEPTH + 1), &mut |_| Ok(None)).is_err());
    let deeper: Vec<u8> = [0xff, 0x80, 0x4f, 0x12, 0].into_iter().chain([0xd8, 1].repeat(600_000)).collect();
    assert!(!check(&deeper, &[]));
    assert_eq!(decode(&deeper, &[], None), None);
}

#[test]
fn what_claims_to_be_large_makes_nobody_allocate() {
    for token in [0xd8, 0xdb, 0xdc, 0xdd, 0xde, 0xc4, 0xc5, 0xcf, 0xd9] {
        let bytes = [0x06, token, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(!check(&bytes, &[]), "{token:x}");
        assert_eq!(decode(&bytes, &[], None), None, "{token:x}");
    }
}

#[test]
fn integers_that_a_double_would_round_stay_what_they_are() {
    let json = serde_json::json!([i64::MAX, u64::MAX, 1_u64 << 53, (1_u64 << 53) - 1, -7, 0.5]);
    let value = Value::from(json.clone());
    let mut shapes = Vec::new();
    let bytes = pack(&value, &mut shapes, 0);
    let back = decode(&bytes, &shapes, None).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json.to_string());
}

#[test]
fn a_shape_is_refused_if_it_is_too_large_or_has_a_key_twice() {
    assert!(Shape::new(["a", "b", "a"]).is_err());
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    assert!(Shape::new(many.iter().map(String::as_str)).is_err());
    assert!(Shape::new(many.iter().take(256).map(String::as_str)).is_ok());
    assert!(Shape::new(["x".repeat(9000).as_str()]).is_err());
}

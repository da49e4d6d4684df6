//! A packed value as Rust sees it.

/// Structured data, as JavaScript and JSON have it.
///
/// ```
/// use cairndb::Value;
///
/// let user = Value::from(serde_json::json!({ "name": "Alice", "born": 1990 }));
/// assert_eq!(user.get("born"), Some(&Value::Number(1990.0)));
/// assert_eq!(serde_json::to_string(&user)?, r#"{"name":"Alice","born":1990}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, on purpose.
    Null,
    /// A field that is there and has no value, as JavaScript has it.
    Undefined,
    /// True or false.
    Boolean(bool),
    /// A number; -0, infinities and NaN are among them.
    Number(f64),
    /// An integer of any size, as decimal digits with a sign if it is negative.
    BigInteger(String),
    /// Text.
    String(Text),
    /// A moment, in milliseconds since the epoch; NaN for one that is none.
    Date(f64),
    /// Values in an order.
    List(Vec<Value>),
    /// Values by name, in an order; each name is there once.
    Object(Vec<(Text, Value)>),
    /// Values by other values, in an order.
    Map(Vec<(Value, Value)>),
    /// Values, each there once, in an order.
    Set(Vec<Value>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A typed array of JavaScript.
    Elements(Elements),
}

/// Text, which in JavaScript may have half of a surrogate pair in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// What UTF-8 can carry.
    Utf8(String),
    /// What it cannot: units of UTF-16.
    Utf16(Vec<u16>),
}

/// The elements of a typed array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elements {
    /// Which typed array: 1 `Uint8Array`, 2 `Int8Array`, 3 `Uint8ClampedArray`, 4 `Uint16Array`, 5 `Int16Array`,
    /// 6 `Uint32Array`, 7 `Int32Array`, 8 `Float32Array`, 9 `Float64Array`, 10 `BigUint64Array`, 11 `BigInt64Array`,
    /// 12 `DataView`, 13 `ArrayBuffer`.
    pub kind: u8,
    /// The elements, little-endian.
    pub bytes: Vec<u8>,
}

impl Value {
    /// The value of a member, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let Value::Object(members) = self else { return None };
        members.iter().find(|(key, _)| matches!(key, Text::Utf8(key) if key == name)).map(|(_, value)| value)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::Utf8(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::Utf8(text)
    }
}

//! What keys and values of a map can be, and the bytes that stand for them.
//!
//! A key begins with one byte that says what it is, so that an empty string is a key too, and a map that is opened with
//! keys of another kind is noticed:
//!
//! | first byte | key | the rest |
//! | --- | --- | --- |
//! | 1 | strings and bytes | as they are |
//! | 2 | an integer below 0 | its 64 bits in two's complement, big-endian |
//! | 3 | another integer | its 64 bits, big-endian |
//!
//! So all integers have one order, whatever their width, and a map of `u32` can be opened as one of `u64`.

use std::borrow::Cow;

const BYTES: u8 = 1;
const NEGATIVE: u8 = 2;
const NATURAL: u8 = 3;

/// What a record of a map can be looked up by: a key, or what a key can be borrowed as, such as [`str`] for [`String`].
///
/// ```
/// use cairndb::map::Lookup;
///
/// assert!(9_u8.to_key() < 10_u64.to_key());
/// assert!((-1_i32).to_key() < 0_u8.to_key());
/// assert_eq!("key".to_key(), String::from("key").to_key());
/// ```
pub trait Lookup {
    /// The key as it is stored. Records are in the order of these bytes; there is at least one, and a record cannot be
    /// written if there are more than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
    fn to_key(&self) -> Vec<u8>;
}

/// A type that keys of a map can have: integers of up to 64 bits, [`String`], `Vec<u8>`, and types of your own.
///
/// ```
/// use cairndb::map::{Lookup, MapKey};
///
/// #[derive(Debug, PartialEq)]
/// struct User(u64);
///
/// impl Lookup for User {
///     fn to_key(&self) -> Vec<u8> {
///         self.0.to_key()
///     }
/// }
///
/// impl MapKey for User {
///     fn from_key(bytes: &[u8]) -> Option<Self> {
///         u64::from_key(bytes).map(User)
///     }
///
///     fn from_persistent_kv(bytes: &[u8]) -> Option<Self> {
///         u64::from_persistent_kv(bytes).map(User)
///     }
/// }
///
/// assert_eq!(User::from_key(&User(7).to_key()), Some(User(7)));
/// ```
pub trait MapKey: Lookup + Sized {
    /// The key that [`Lookup::to_key`] made these bytes of; `None` if they are not of this type.
    fn from_key(bytes: &[u8]) -> Option<Self>;

    /// The key that persistent-kv stored as these bytes; `None` if they are not of this type. Only needed where a store
    /// of persistent-kv is taken over.
    fn from_persistent_kv(bytes: &[u8]) -> Option<Self>;
}

/// A type that values of a map can have: integers of up to 64 bits, [`String`], `Vec<u8>`, `Proto` with the feature
/// `prost`, and types of your own. Not to be confused with [`crate::Value`], which is structured data.
///
/// ```
/// use std::borrow::Cow;
/// use cairndb::map::MapValue;
///
/// #[derive(Debug, PartialEq)]
/// struct Celsius(f64);
///
/// impl MapValue for Celsius {
///     fn to_bytes(&self) -> Cow<'_, [u8]> {
///         Cow::Owned(self.0.to_le_bytes().to_vec())
///     }
///
///     fn from_bytes(bytes: &[u8]) -> Option<Self> {
///         Some(Celsius(f64::from_le_bytes(bytes.try_into().ok()?)))
///     }
/// }
///
/// assert_eq!(Celsius::from_bytes(&Celsius(21.5).to_bytes()), Some(Celsius(21.5)));
/// ```
pub trait MapValue: Sized {
    /// The value as it is stored. Integers are little-endian, of their own width.
    fn to_bytes(&self) -> Cow<'_, [u8]>;

    /// The value that [`MapValue::to_bytes`] made these bytes of; `None` if they are not of this type.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

fn integer_to_key(number: i128) -> Vec<u8> {
    let mut key = vec![if number < 0 { NEGATIVE } else { NATURAL }];
    // The low half is all that 64 bits have; the sign is in the byte before.
    key.extend_from_slice(&(number as u64).to_be_bytes());
    key
}

fn integer_from_key(key: &[u8]) -> Option<i128> {
    let (kind, number) = key.split_first()?;
    let number = u64::from_be_bytes(number.try_into().ok()?);
    match *kind {
        NEGATIVE => Some(i128::from(number as i64)).filter(|number| *number < 0),
        NATURAL => Some(i128::from(number)),
        _ => None,
    }
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl Lookup for $integer {
            fn to_key(&self) -> Vec<u8> {
                integer_to_key(i128::from(*self))
            }
        }

        impl MapKey for $integer {
            fn from_key(bytes: &[u8]) -> Option<Self> {
                integer_from_key(bytes)?.try_into().ok()
            }

            /// Eight bytes: the integer in its own width, little-endian, and zeros.
            fn from_persistent_kv(bytes: &[u8]) -> Option<Self> {
                let (number, zeros) = bytes.split_first_chunk::<{ size_of::<$integer>() }>()?;
                (bytes.len() == 8 && zeros.iter().all(|byte| *byte == 0)).then(|| Self::from_le_bytes(*number))
            }
        }

        impl MapValue for $integer {
            fn to_bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.to_le_bytes().to_vec())
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )* };
}

integers! { u8 u16 u32 u64 i8 i16 i32 i64 }

macro_rules! texts {
    ($($text:ty)*) => { $(
        impl Lookup for $text {
            fn to_key(&self) -> Vec<u8> {
                let text: &[u8] = self.as_ref();
                [&[BYTES], text].concat()
            }
        }
    )* };
}

texts! { str String [u8] Vec<u8> }

impl MapKey for String {
    fn from_key(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(Vec::from_key(bytes)?).ok()
    }

    fn from_persistent_kv(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl MapKey for Vec<u8> {
    fn from_key(bytes: &[u8]) -> Option<Self> {
        bytes.strip_prefix(&[BYTES]).map(<[u8]>::to_vec)
    }

    fn from_persistent_kv(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

impl MapValue for String {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl MapValue for Vec<u8> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

/// A protobuf message as a value of a map. Only with the feature `prost`.
///
/// ```
/// use cairndb::map::{Config, Map, Proto};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct User {
///     #[prost(string, tag = "1")]
///     name: String,
/// }
///
/// # let directory = tempfile::tempdir().unwrap();
/// let users: Map<u64, Proto<User>> = Map::open(directory.path(), Config::default())?;
/// users.set(1_u64, User { name: "Alice".into() })?;
/// assert_eq!(users.get(&1)?.unwrap().0.name, "Alice");
/// # Ok::<(), cairndb::Error>(())
/// ```
#[cfg(feature = "prost")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Proto<M>(pub M);

#[cfg(feature = "prost")]
impl<M> From<M> for Proto<M> {
    fn from(message: M) -> Self {
        Proto(message)
    }
}

#[cfg(feature = "prost")]
impl<M: prost::Message + Default> MapValue for Proto<M> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.encode_to_vec())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        M::decode(bytes).ok().map(Proto)
    }
}

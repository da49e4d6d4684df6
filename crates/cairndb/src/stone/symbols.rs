//! Symbol tables: the strings of bytes that stand often in the records of a stone, each written as one byte.
//!
//! The method is FSST (P. Boncz, T. Neumann, V. Leis: *FSST: Fast Random Access String Compression*, PVLDB 13, 2020):
//! up to 255 symbols of 1 to 8 bytes, chosen for the stone from a sample of its records. A code is the number of a
//! symbol, or 255 and then a byte that stands for itself. So each record can be unpacked by itself, at the price of
//! a load and a store for each code; what packs blocks of many records smaller has to unpack a block to read one.

use super::format::{ALIGNMENT, CHECKSUM, checksum};
use super::index::key_hash;
use crate::codec::Reader;

/// The code in front of a byte that stands for itself.
const ESCAPE: u8 = 255;
/// The longest symbol.
const LONGEST: usize = 8;
/// So many codes are unpacked without taking memory for it.
const SHORT: usize = 64;
/// So many codes are unpacked at once.
const STEP: usize = 8;
/// Instead of a length: the code is the escape, or stands for nothing.
const SPECIAL: u8 = 0x80;
/// So many bytes are trained on, all of them. Of 16 KiB and more the library takes a part, some of it several times, and
/// only what stands there five times, which leaves codes unused: small records are 4 % longer then, large ones 1 % shorter.
const TRAINED: usize = 15 << 10;
/// Symbols are chosen once more for so many bytes that will be packed, since it takes 2 ms, and then from other records.
/// Those that pack the whole sample best are taken: another 1 %.
const TRY: u64 = 1 << 20;
/// What packing has to save to be worth the time that reading takes longer: an eighth.
const WORTH: usize = 8;

/// Reads the table with which bytes from an offset of a file begin, behind its checksum, and says how many that are.
/// `None` if it is damaged.
pub(super) fn read(bytes: &[u8], at: u64, salt: u32) -> Option<(Option<Box<Symbols>>, u64)> {
    let (crc, table) = bytes.split_first_chunk::<CHECKSUM>()?;
    let mut reader = Reader::new(table);
    let symbols = Symbols::decode(&mut reader)?;
    let taken = table.get(..reader.position())?;
    let len = ((CHECKSUM + taken.len()) as u64).next_multiple_of(ALIGNMENT);
    (checksum(salt, at, taken) == u32::from_le_bytes(*crc)).then_some((symbols, len))
}

/// What the codes of a stone stand for.
pub(super) struct Symbols {
    symbols: [Symbol; 256],
}

#[derive(Clone, Copy)]
struct Symbol {
    /// Its bytes, the first in the lowest bits.
    value: u64,
    /// [`SPECIAL`] where there is no symbol.
    len: u8,
}

const NO_SYMBOL: Symbol = Symbol { value: 0, len: SPECIAL };

impl Symbols {
    /// Appends the table: the number of symbols, a byte for the length of each, and their bytes. Nothing but a zero
    /// stands for no table.
    pub(super) fn encode(symbols: Option<&Symbols>, out: &mut Vec<u8>) {
        let symbols = || symbols.iter().flat_map(|table| &table.symbols).take_while(|symbol| symbol.len != SPECIAL);
        out.push(symbols().count() as u8);
        out.extend(symbols().map(|symbol| symbol.len));
        for Symbol { value, len } in symbols() {
            out.extend(value.to_le_bytes().into_iter().take(usize::from(*len)));
        }
    }

    /// Reads what [`Symbols::encode`] wrote.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Option<Box<Symbols>>> {
        let count = usize::from(reader.u8()?);
        if count == 0 {
            return Some(None);
        }
        let mut symbols = Symbols::none();
        let lengths = reader.take(count)?;
        for (symbol, len) in symbols.symbols.iter_mut().zip(lengths) {
            let mut bytes = [0; LONGEST];
            bytes.get_mut(..usize::from(*len))?.copy_from_slice(reader.take(usize::from(*len))?);
            *symbol = Symbol { value: u64::from_le_bytes(bytes), len: *len };
        }
        lengths.iter().all(|len| *len > 0).then_some(Some(symbols))
    }

    fn none() -> Box<Symbols> {
        Box::new(Symbols { symbols: [NO_SYMBOL; 256] })
    }

    /// Calls `take` with the bytes that codes stand for; `None` if one of them stands for nothing.
    pub(super) fn unpack<T>(&self, codes: &[u8], take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        // Each code stores the eight bytes of the longest symbol and moves on by the length of its own.
        let mut small = [0; (SHORT + 1) * LONGEST];
        let mut large = Vec::new();
        let out = if codes.len() <= SHORT {
            &mut small[..]
        } else {
            large.resize((codes.len() + 1) * LONGEST, 0);
            &mut large
        };
        let len = self.unpack_to(codes, out)?;
        out.get(..len).map(take)
    }

    fn unpack_to(&self, mut codes: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut at = 0;
        while let Some((step, behind)) = codes.split_first_chunk::<STEP>() {
            // As if all stood for symbols, without asking each. So many codes are left, so there is room for all of it.
            let place = out.get_mut(at..)?.first_chunk_mut::<{ (STEP + 1) * LONGEST }>()?;
            let (mut end, mut seen) = (0, 0);
            for code in step {
                let Symbol { value, len } = self.symbol(*code);
                // No symbol begins behind this: the remainder is `end` itself, and the compiler sees that it is inside.
                let from = end % (STEP * LONGEST);
                place.get_mut(from..from + LONGEST)?.copy_from_slice(&value.to_le_bytes());
                end += usize::from(len);
                seen |= len;
            }
            if seen & SPECIAL == 0 {
                at += end;
                codes = behind;
                continue;
            }
            while codes.len() > behind.len() {
                codes = self.unpack_one(codes, out, &mut at)?;
            }
        }
        while !codes.is_empty() {
            codes = self.unpack_one(codes, out, &mut at)?;
        }
        Some(at)
    }

    /// Puts what the first code stands for at a place, which moves behind it. Returns the codes that are left.
    #[inline]
    fn unpack_one<'a>(&self, codes: &'a [u8], out: &mut [u8], at: &mut usize) -> Option<&'a [u8]> {
        let (code, rest) = codes.split_first()?;
        let place = out.get_mut(*at..)?.first_chunk_mut::<LONGEST>()?;
        let Symbol { value, len } = self.symbol(*code);
        if len != SPECIAL {
            *place = value.to_le_bytes();
            *at += usize::from(len);
            return Some(rest);
        }
        let (byte, rest) = rest.split_first().filter(|_| *code == ESCAPE)?;
        *place.first_mut()? = *byte;
        *at += 1;
        Some(rest)
    }

    fn symbol(&self, code: u8) -> Symbol {
        self.symbols.get(usize::from(code)).copied().unwrap_or(NO_SYMBOL)
    }
}

/// Packs the records of a stone that is written.
pub(crate) struct Packer {
    compressor: fsst::Compressor,
    symbols: Box<Symbols>,
}

impl Packer {
    /// Chooses the symbols for about `content` bytes of which these are a sample. `None` if they would save too little.
    pub(crate) fn new(sample: &[Vec<u8>], content: u64) -> Option<Packer> {
        let size: usize = sample.iter().map(Vec::len).sum();
        // In no order: what stands in each fourth record, say, is in each part.
        let mut records: Vec<&[u8]> = sample.iter().map(Vec::as_slice).collect();
        records.sort_by_cached_key(|record| key_hash(record));
        let mut parts = records.chunks(records.len().div_ceil(size / TRAINED + 1).max(1));
        let choices = parts.next().into_iter().chain([&*records]).chain(parts);
        let tried = choices.take(1 + (content / TRY) as usize).map(|records| {
            let packer = Packer::trained(records);
            (sample.iter().map(|record| packer.pack(record).len()).sum::<usize>(), packer)
        });
        let (packed, packer) = tried.min_by_key(|(packed, _)| *packed)?;
        let saved = size.saturating_sub(packed);
        let mut table = Vec::new();
        Symbols::encode(Some(&packer.symbols), &mut table);
        // The table stands there twice.
        let pays = (saved as u64).saturating_mul(content) > (4 * table.len() * size) as u64;
        (saved * WORTH > size && pays).then_some(packer)
    }

    /// Chooses the symbols that suit these records.
    fn trained(records: &[&[u8]]) -> Packer {
        let compressor = fsst::Compressor::train(&records.to_vec());
        let mut symbols = Symbols::none();
        let chosen = compressor.symbol_table().iter().zip(compressor.symbol_lengths());
        for (symbol, (value, len)) in symbols.symbols.iter_mut().zip(chosen) {
            *symbol = Symbol { value: value.to_u64(), len: *len };
        }
        Packer { compressor, symbols }
    }

    pub(super) fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Codes that stand for the bytes; more than those perhaps.
    pub(super) fn pack(&self, bytes: &[u8]) -> Vec<u8> {
        self.compressor.compress(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packer() -> Packer {
        let sample: Vec<Vec<u8>> = (0..500).map(|i| format!("user-{i}@example.com").into_bytes()).collect();
        Packer::new(&sample, 1 << 20).unwrap()
    }

    fn read(table: &[u8]) -> Option<Option<Box<Symbols>>> {
        let mut reader = Reader::new(table);
        Symbols::decode(&mut reader).filter(|_| reader.is_empty())
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_with_the_table_that_was_written(
            parts in proptest::collection::vec(prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..20),
                "[a-z0-9@.]{0,40}".prop_map(String::into_bytes),
            ], 0..20),
        ) {
            let packer = packer();
            let mut table = Vec::new();
            Symbols::encode(Some(packer.symbols()), &mut table);
            let symbols = read(&table).flatten().unwrap();
            let bytes = parts.concat();
            prop_assert_eq!(symbols.unpack(&packer.pack(&bytes), <[u8]>::to_vec), Some(bytes));
        }

        #[test]
        fn any_codes_stand_for_what_each_does_or_are_refused(
            parts in proptest::collection::vec(prop_oneof![
                8 => (0..4_u8).prop_map(|code| vec![code]),
                2 => any::<u8>().prop_map(|byte| vec![ESCAPE, byte]),
                1 => any::<u8>().prop_map(|code| vec![code]),
            ], 0..40),
        ) {
            let symbols: [&[u8]; 4] = [b"a", b"user", b"-", b"@example"];
            let table = read(b"\x04\x01\x04\x01\x08auser-@example").flatten().unwrap();
            let codes = parts.concat();
            let (mut one_by_one, mut rest) = (Some(Vec::new()), codes.iter());
            while let Some(code) = rest.next() {
                let part = match code {
                    0..4 => Some(symbols[usize::from(*code)]),
                    &ESCAPE => rest.next().map(std::slice::from_ref),
                    _ => None,
                };
                one_by_one = one_by_one.zip(part).map(|(all, part)| [&all, part].concat());
            }
            prop_assert_eq!(table.unpack(&codes, <[u8]>::to_vec), one_by_one);
        }
    }

    #[test]
    fn a_table_that_is_none_is_one_byte_and_a_wrong_one_is_refused() {
        let mut table = Vec::new();
        Symbols::encode(None, &mut table);
        assert_eq!(table, [0]);
        assert!(read(&table).unwrap().is_none());
        assert!(read(&[1, 2, b'a', b'b']).flatten().is_some());
        for wrong in [&[][..], &[1], &[1, 0], &[1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[1, 2, b'a'], &[2, 1, 0, b'a']] {
            assert!(read(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn codes_without_symbols_and_a_cut_escape_are_refused() {
        let symbols = read(&[1, 2, b'a', b'b']).flatten().unwrap();
        assert_eq!(symbols.unpack(&[0, 255, b'!', 0], <[u8]>::to_vec), Some(b"ab!ab".to_vec()));
        assert_eq!(symbols.unpack(&[1], <[u8]>::len), None);
        assert_eq!(symbols.unpack(&[0, 255], <[u8]>::len), None);
    }

    /// How long the records of a sample are, packed by what is chosen for so many bytes of them.
    fn packed(sample: &[Vec<u8>], content: u64) -> usize {
        let packer = Packer::new(sample, content).unwrap();
        sample.iter().map(|record| packer.pack(record).len()).sum()
    }

    #[test]
    fn symbols_suit_all_kinds_of_records_that_take_turns() {
        let kinds =
            ["alpha beta gamma delta", "epsilon zeta eta theta", "iota kappa lambda my ny", "xi omikron pi rho sigma"];
        let sample: Vec<Vec<u8>> = (0..1000).map(|i| format!("{0} {i:06} {0}", kinds[i % 4]).into_bytes()).collect();
        assert_eq!(sample.concat().len() / TRAINED, 3, "each part could be of one kind");
        assert!(packed(&sample, 1 << 18) < sample.concat().len() / 4);
    }

    #[test]
    fn for_more_to_pack_symbols_are_chosen_that_suit_better() {
        let number =
            |i: u64| u64::from_le_bytes(*crate::codec::sha256(&i.to_le_bytes()).first_chunk().unwrap()) % 100_000;
        let record = |i| format!("user-{0} {1} user-{0}@example.com", number(i), number(i + 1000)).into_bytes();
        let sample: Vec<Vec<u8>> = (500..1500).map(record).collect();
        let sizes = [TRY - 1, TRY, 2 * TRY, 9 * TRY].map(|content| packed(&sample, content));
        assert!(sizes.is_sorted_by(|less, more| less >= more) && sizes[3] < sizes[0], "{sizes:?}");
    }

    #[test]
    fn what_does_not_pack_is_left_as_it_is() {
        let noise: Vec<Vec<u8>> = (0..64_u64).map(|i| crate::codec::sha256(&i.to_le_bytes()).to_vec()).collect();
        assert!(Packer::new(&noise, 1 << 30).is_none());
        assert!(Packer::new(&[], 1 << 30).is_none());
        let text: Vec<Vec<u8>> = (0..9).map(|i| format!("user-{i}@example.com").into_bytes()).collect();
        assert!(Packer::new(&text, 50).is_none(), "the table would be larger than what it saves");
    }
}

//! One way to turn a stored type into bytes and back: a version byte, then CBOR.

use std::cell::RefCell;
use std::sync::LazyLock;

use minicbor::{Decode, Encode};
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::{self, CParameter};

/// The bytes do not read as the type they should hold: damage, or a writer newer than this reader.
#[derive(Debug, thiserror::Error)]
#[error("stored `{what}` does not read: {source}")]
pub struct CodecError {
    pub what: &'static str,
    #[source]
    pub source: minicbor::decode::Error,
}

/// Room for most stored values, bytes.
const TYPICAL: usize = 512;
/// Format of every stored value so far. A reader accepts all versions up to its own.
const VERSION: u8 = 1;

/// The stored form of `value`. The same value gives the same bytes.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(TYPICAL);
    out.push(VERSION);
    minicbor::encode(value, &mut out).expect("writing to memory cannot fail");
    out
}

/// Reads what [`encode`] wrote.
pub fn decode<'b, T: Decode<'b, ()>>(what: &'static str, bytes: &'b [u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => minicbor::decode(rest).map_err(|source| CodecError { what, source }),
        _ => Err(CodecError { what, source: minicbor::decode::Error::message("unknown format version") }),
    }
}

/// zstd level: the dictionary makes up for what higher levels would find (Synthea: 1.25 KiB a resource on disk, 1.22 at level 3).
const LEVEL: i32 = 1;
/// What FHIR JSON and headers have in common: `cargo run -p xtask -- storage-dictionary`. Bytes that were written with it need
/// it for ever: it never changes, a better one gets a method byte of its own.
const DICTIONARY: &[u8] = include_bytes!("../dictionaries/1.zstd-dictionary");
/// Above this length the dictionary gains nothing.
const SMALL: usize = 64 * 1024;

/// First byte of packed bytes: zstd, zstd with [`DICTIONARY`].
const PLAIN_ZSTD: u8 = 1;
const WITH_DICTIONARY: u8 = 2;

static FOR_WRITING: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static FOR_READING: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

/// Making a context costs more than using it on a body of 2 kB.
struct Contexts {
    pack: Compressor<'static>,
    pack_small: Compressor<'static>,
    unpack: Decompressor<'static>,
    unpack_small: Decompressor<'static>,
}

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::new(Contexts::new().expect("memory for zstd"));
}

impl Contexts {
    fn new() -> std::io::Result<Self> {
        let mut pack_small = Compressor::with_prepared_dictionary(&FOR_WRITING)?;
        // Our method byte says which dictionary it is.
        pack_small.set_parameter(CParameter::DictIdFlag(false))?;
        Ok(Self {
            pack: Compressor::new(LEVEL)?,
            pack_small,
            unpack: Decompressor::new()?,
            unpack_small: Decompressor::with_prepared_dictionary(&FOR_READING)?,
        })
    }
}

/// Compresses a header, a body or a submission: a byte that names the method, then zstd.
pub fn compress(plain: &[u8]) -> Vec<u8> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let (method, context) = match plain.len() {
            ..SMALL => (WITH_DICTIONARY, &mut contexts.pack_small),
            _ => (PLAIN_ZSTD, &mut contexts.pack),
        };
        let packed = context.compress(plain).expect("compressing memory to memory does not fail");
        [&[method], &packed[..]].concat()
    })
}

/// Undoes [`compress`]; `limit` is the largest length it may unpack to.
pub fn decompress(packed: &[u8], limit: usize) -> std::io::Result<Vec<u8>> {
    CONTEXTS.with_borrow_mut(|contexts| match packed.split_first() {
        Some((&PLAIN_ZSTD, rest)) => contexts.unpack.decompress(rest, length(rest, limit)),
        Some((&WITH_DICTIONARY, rest)) => contexts.unpack_small.decompress(rest, length(rest, limit)),
        _ => Err(std::io::Error::other("unknown compression")),
    })
}

/// Memory to unpack into: what the frame says of its length, and at most `limit`. Limits are far above what is usual, and memory
/// of 64 MiB for a header of 500 bytes is not free even where it is never touched.
fn length(frame: &[u8], limit: usize) -> usize {
    let said = zstd_safe::get_frame_content_size(frame).ok().flatten();
    said.and_then(|length| usize::try_from(length).ok()).map_or(limit, |length| length.min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_unpacks_at_every_length_and_not_beyond_the_limit() {
        for length in [0, 1, 100, 2_000, SMALL - 1, SMALL, 3 * SMALL] {
            let plain: Vec<u8> =
                br#"{"status":"final","code":{"coding":[{"system":""#.iter().copied().cycle().take(length).collect();
            let packed = compress(&plain);
            assert_eq!(decompress(&packed, length).unwrap(), plain, "length {length}");
            assert_eq!(decompress(&packed, usize::MAX / 2).unwrap(), plain, "no memory is taken for the limit");
            assert!(length == 0 || decompress(&packed, length - 1).is_err());
        }
        assert!(decompress(&[], 10).is_err() && decompress(&[9, 1, 2], 10).is_err());
    }
}

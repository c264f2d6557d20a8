//! One way to turn a stored type into bytes and back: a version byte, then CBOR.

use std::cell::RefCell;

use minicbor::{Decode, Encode};
use zstd::bulk::{Compressor, Decompressor};

/// The bytes do not read as the type they should hold: damage, or a writer newer than this reader.
#[derive(Debug, thiserror::Error)]
#[error("stored `{what}` does not read: {source}")]
pub struct CodecError {
    pub what: &'static str,
    #[source]
    pub source: minicbor::decode::Error,
}

/// Format of every stored value so far. A reader accepts all versions up to its own.
const VERSION: u8 = 1;

/// The stored form of `value`. The same value gives the same bytes.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = vec![VERSION];
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

/// zstd level for bodies and submissions: 3 is the knee of the curve for FHIR JSON.
const LEVEL: i32 = 3;

thread_local! {
    // Making a context costs more than using it on a body of 2 kB.
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(Compressor::new(LEVEL).expect("memory for zstd"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::new(Decompressor::new().expect("memory for zstd"));
}

/// Compresses a body or a submission: a byte that names the method, then zstd.
pub fn compress(plain: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    let packed = COMPRESSOR.with_borrow_mut(|c| c.compress(plain));
    out.extend(packed.expect("compressing memory to memory does not fail"));
    out
}

/// Undoes [`compress`]; `limit` is the largest length it may unpack to.
pub fn decompress(packed: &[u8], limit: usize) -> std::io::Result<Vec<u8>> {
    match packed.split_first() {
        Some((1, rest)) => DECOMPRESSOR.with_borrow_mut(|d| d.decompress(rest, limit)),
        _ => Err(std::io::Error::other("unknown compression")),
    }
}

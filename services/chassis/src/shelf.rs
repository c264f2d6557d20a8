//! The rows of a person's shelf: their keys and their sealed forms. Written by the projector, read by the query role.

use bytes::Bytes;
use schemas::header::{BodyRef, Bucket, Header, ItemVersion};
use schemas::shelf::PersonState;
use schemas::{ItemKey, Pid, ResourceType, codec};

use crate::crypto::{self, CryptoError};
use crate::ports::keys::Secret;

/// Bodies are cut into parts of this many (compressed, sealed) bytes.
pub const CHUNK: usize = 512 * 1024;

/// Largest header before compression: the search values of a body of 10 MiB.
const HEADER_MAX: usize = 64 * 1024 * 1024;

/// A row does not read: damage, a destroyed key or a newer writer.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    #[error(transparent)]
    Sealed(#[from] CryptoError),
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    #[error("a row is too short or does not unpack")]
    Form,
}

/// Key of a header row; all headers of a type lie together.
pub fn item_row_key(item: &ItemKey) -> Bytes {
    let mut key = Vec::with_capacity(11);
    key.push(item.resource_type as u8);
    key.extend_from_slice(&item.local.0);
    key.into()
}

/// Key range of the headers of one type: from inclusive, to exclusive.
pub fn type_range(resource_type: ResourceType) -> ([u8; 1], [u8; 1]) {
    ([resource_type as u8], [resource_type as u8 + 1])
}

/// Key of a version row; the versions of an item lie together, oldest first.
pub fn version_row_key(item: &ItemKey, version: u32) -> Bytes {
    let mut key = item_row_key(item).to_vec();
    key.extend_from_slice(&version.to_be_bytes());
    key.into()
}

/// Partition of the bodies of a person in a bucket.
pub fn body_partition(pid: Pid, bucket: Bucket) -> Bytes {
    [&pid.0[..], &bucket.to_bytes()].concat().into()
}

/// Key of one part of a body.
pub fn body_row_key(item: &ItemKey, version: u32, chunk: u16) -> Bytes {
    let mut key = version_row_key(item, version).to_vec();
    key.extend_from_slice(&chunk.to_be_bytes());
    key.into()
}

/// The bucket of a body written at `time` (milliseconds since 1970).
pub fn bucket_for(time: i64, keep_long: bool) -> Bucket {
    if keep_long { Bucket::Long } else { Bucket::Year(crate::clock::year_of(time)) }
}

/// Header row: bucket of its key in clear (2 bytes), then sealed, compressed CBOR. The key is that of the bucket.
pub fn seal_header(key: &Secret, bucket: Bucket, header: &Header) -> Bytes {
    let mut row = bucket.to_bytes().to_vec();
    row.extend(crypto::seal(key, &item_row_key(&header.item), &codec::compress(&codec::encode(header))));
    row.into()
}

/// The bucket whose header key opens this row.
pub fn header_bucket(row: &[u8]) -> Result<Bucket, RowError> {
    let bytes: [u8; 2] = row.get(..2).and_then(|b| b.try_into().ok()).ok_or(RowError::Form)?;
    Ok(match u16::from_be_bytes(bytes) {
        0 => Bucket::Long,
        year => Bucket::Year(year),
    })
}

pub fn open_header(key: &Secret, item: &ItemKey, row: &[u8]) -> Result<Header, RowError> {
    let packed = crypto::open(key, &item_row_key(item), row.get(2..).ok_or(RowError::Form)?)?;
    Ok(codec::decode("header", &codec::decompress(&packed, HEADER_MAX).map_err(|_| RowError::Form)?)?)
}

/// State row: position in clear (8 bytes), then sealed CBOR under the header key of the long bucket.
pub fn seal_state(key: &Secret, state: &PersonState) -> Bytes {
    let mut row = state.position.to_be_bytes().to_vec();
    row.extend(crypto::seal(key, &state.pid.0, &codec::encode(state)));
    row.into()
}

/// Position of a state row, readable without any key: tells whether a copy in memory is still the newest.
pub fn state_position(row: &[u8]) -> Result<u64, RowError> {
    let bytes: [u8; 8] = row.get(..8).and_then(|b| b.try_into().ok()).ok_or(RowError::Form)?;
    Ok(u64::from_be_bytes(bytes))
}

pub fn open_state(key: &Secret, pid: Pid, row: &[u8]) -> Result<PersonState, RowError> {
    let plain = crypto::open(key, &pid.0, row.get(8..).ok_or(RowError::Form)?)?;
    Ok(codec::decode("person state", &plain)?)
}

/// A body as it is stored: compressed, sealed under its row key, cut into chunks. Returns the reference for the header.
pub fn seal_body(key: &Secret, version: &ItemVersion, bucket: Bucket, body: &[u8]) -> (BodyRef, Vec<Bytes>) {
    let packed = codec::compress(body);
    let sealed = Bytes::from(crypto::seal(key, &crypto::item_bytes(version), &packed));
    let chunks: Vec<Bytes> =
        (0..sealed.len()).step_by(CHUNK).map(|at| sealed.slice(at..sealed.len().min(at + CHUNK))).collect();
    let reference = BodyRef {
        bucket,
        chunks: u16::try_from(chunks.len()).expect("10 MiB are 20 chunks"),
        length: u32::try_from(body.len()).expect("10 MiB"),
    };
    (reference, chunks)
}

/// Opens a body with its row key (inside work; for release see [`crate::release::open_body`]).
pub fn open_body_with(
    key: &Secret,
    version: &ItemVersion,
    header: &Header,
    chunks: &[Bytes],
) -> Result<Vec<u8>, CryptoError> {
    let length = header.body.ok_or(CryptoError)?.length as usize;
    let aad = crypto::item_bytes(version);
    let packed = match chunks {
        [one] => crypto::open(key, &aad, one)?,
        many => crypto::open(key, &aad, &many.concat())?,
    };
    codec::decompress(&packed, length).map_err(|_| CryptoError)
}

//! Keys of rows in the engine: table, partition, key, in an encoding that keeps the byte order of (partition, key).

use bytes::Bytes;

/// Adds `part` so that no other part is a prefix of it and order is kept: 00 becomes 00 FF, the end is 00 00.
pub(crate) fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    for byte in part {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Start of all keys of a partition.
pub(crate) fn prefix(table: u8, partition: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(partition.len() + 20);
    out.push(table);
    push_part(&mut out, partition);
    out
}

/// Key of one row.
pub(crate) fn row_key(table: u8, partition: &[u8], key: &[u8]) -> Vec<u8> {
    let mut out = prefix(table, partition);
    out.extend_from_slice(key);
    out
}

/// First key behind all that begin with `prefix`. A prefix ends in 00 00 or is a table's byte, so the last byte can grow.
pub(crate) fn behind(mut prefix: Vec<u8>) -> Vec<u8> {
    if let Some(last) = prefix.last_mut() {
        *last += 1;
    }
    prefix
}

/// Partition and key of an engine's key (without its table byte); `None` if it is not one.
pub(crate) fn split(encoded: &[u8]) -> Option<(Bytes, Bytes)> {
    let mut partition = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if *byte != 0 {
            partition.push(*byte);
            continue;
        }
        match bytes.next()?.1 {
            0 => return Some((partition.into(), Bytes::copy_from_slice(&encoded[at + 2..]))),
            0xff => partition.push(0),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encoded_keys_keep_the_order_of_partition_and_key_and_read_back(
            a in (proptest::collection::vec(0u8..3, 0..5), proptest::collection::vec(any::<u8>(), 0..5)),
            b in (proptest::collection::vec(0u8..3, 0..5), proptest::collection::vec(any::<u8>(), 0..5)),
        ) {
            let (x, y) = (row_key(1, &a.0, &a.1), row_key(1, &b.0, &b.1));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(split(&x[1..]), Some((Bytes::from(a.0.clone()), Bytes::from(a.1.clone()))));
            prop_assert_eq!(a.0 == b.0, y >= prefix(1, &a.0) && y < behind(prefix(1, &a.0)));
        }
    }
}

//! Frames: all that stands in a segment. Little endian; 28 bytes of header, then the body.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of all that follows |
//! | 4 | 4 | length of the body |
//! | 8 | 1 | kind: 1 segment head, 2 record, 3 commit |
//! | 9 | 1 | topic |
//! | 10 | 2 | partition |
//! | 12 | 8 | record: offset in its partition; commit: number of the commit; head: number of the segment |
//! | 20 | 8 | time, milliseconds since 1970 |
//!
//! Where no frame was written the segment holds zeros.

use openssl::sha::Sha256;

pub(crate) const HEADER: usize = 28;
/// Largest record.
pub(crate) const MAX_RECORD: usize = 16 * 1024 * 1024;
/// First bytes of a commit's body: lets a scan find commits behind a damaged place.
pub(crate) const COMMIT_MARK: [u8; 8] = *b"\xf7kiroku\xc3";
const COMMIT_BODY: usize = 8 + 32 + 4;
pub(crate) const COMMIT_FRAME: usize = HEADER + COMMIT_BODY;
const HEAD_BODY: usize = 1 + 16 + 8 + 32;
pub(crate) const HEAD_FRAME: usize = HEADER + HEAD_BODY;
const HEAD_FORMAT: u8 = 1;

const HEAD: u8 = 1;
const RECORD: u8 = 2;
const COMMIT: u8 = 3;

/// A hash of the chain of commits.
pub(crate) type Chain = [u8; 32];

/// One frame as read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Head { segment: u32, log_id: [u8; 16], first_commit: u64, chain_before: Chain },
    Record { topic: u8, partition: u16, offset: u64, time: i64, value: &'a [u8] },
    Commit { number: u64, time: i64, records: u32, chain: Chain },
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Zeros: nothing was written here.
    Blank,
    /// More bytes are needed: so many from the start of the frame.
    Short(usize),
    Bad(&'static str),
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Reads the frame at the start of `bytes`; with its length in all.
pub(crate) fn read(bytes: &[u8]) -> Result<(Frame<'_>, usize), Unread> {
    if bytes.len() < HEADER {
        return Err(Unread::Short(HEADER));
    }
    if bytes[..HEADER].iter().all(|b| *b == 0) {
        return Err(Unread::Blank);
    }
    let length = u32_at(bytes, 4) as usize;
    if length > MAX_RECORD {
        return Err(Unread::Bad("length of a frame"));
    }
    let whole = HEADER + length;
    if bytes.len() < whole {
        return Err(Unread::Short(whole));
    }
    if crc32c::crc32c(&bytes[4..whole]) != u32_at(bytes, 0) {
        return Err(Unread::Bad("checksum of a frame"));
    }
    let body = &bytes[HEADER..whole];
    let (number, time) = (u64_at(bytes, 12), u64_at(bytes, 20).cast_signed());
    let frame = match (bytes[8], body.len()) {
        (RECORD, _) => {
            let partition = u16::from_le_bytes([bytes[10], bytes[11]]);
            Frame::Record { topic: bytes[9], partition, offset: number, time, value: body }
        }
        (COMMIT, COMMIT_BODY) if body[..8] == COMMIT_MARK => {
            Frame::Commit { number, time, records: u32_at(body, 40), chain: body[8..40].try_into().expect("32 bytes") }
        }
        (HEAD, HEAD_BODY) if body[0] == HEAD_FORMAT => Frame::Head {
            segment: u32::try_from(number).map_err(|_| Unread::Bad("number of a segment"))?,
            log_id: body[1..17].try_into().expect("16 bytes"),
            first_commit: u64_at(body, 17),
            chain_before: body[25..57].try_into().expect("32 bytes"),
        },
        _ => return Err(Unread::Bad("kind of a frame")),
    };
    Ok((frame, whole))
}

/// Where a frame belongs, without its body.
struct Place {
    kind: u8,
    topic: u8,
    partition: u16,
    number: u64,
    time: i64,
}

fn write(out: &mut Vec<u8>, place: &Place, body: &[&[u8]]) {
    let at = out.len();
    let length: usize = body.iter().map(|b| b.len()).sum();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u32::try_from(length).expect("records are limited to 16 MiB").to_le_bytes());
    out.extend_from_slice(&[place.kind, place.topic]);
    out.extend_from_slice(&place.partition.to_le_bytes());
    out.extend_from_slice(&place.number.to_le_bytes());
    out.extend_from_slice(&place.time.to_le_bytes());
    body.iter().for_each(|b| out.extend_from_slice(b));
    let crc = crc32c::crc32c(&out[at + 4..]);
    out[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Adds a record's frame.
pub(crate) fn write_record(out: &mut Vec<u8>, topic: u8, partition: u16, offset: u64, time: i64, value: &[u8]) {
    write(out, &Place { kind: RECORD, topic, partition, number: offset, time }, &[value]);
}

/// Adds a commit's frame.
pub(crate) fn write_commit(out: &mut Vec<u8>, number: u64, time: i64, records: u32, chain: &Chain) {
    let place = Place { kind: COMMIT, topic: 0, partition: 0, number, time };
    write(out, &place, &[&COMMIT_MARK, chain, &records.to_le_bytes()]);
}

/// Adds the head of a segment.
pub(crate) fn write_head(out: &mut Vec<u8>, segment: u32, log_id: &[u8; 16], first_commit: u64, chain_before: &Chain) {
    let place = Place { kind: HEAD, topic: 0, partition: 0, number: u64::from(segment), time: 0 };
    write(out, &place, &[&[HEAD_FORMAT], log_id, &first_commit.to_le_bytes(), chain_before]);
}

/// The chain after a commit: SHA-256 of the chain before, the frames of its records, its number, time and count.
pub(crate) fn next_chain(before: &Chain, frames: &[u8], number: u64, time: i64, records: u32) -> Chain {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(frames);
    hash.update(&number.to_le_bytes());
    hash.update(&time.to_le_bytes());
    hash.update(&records.to_le_bytes());
    hash.finish()
}

/// The chain before the first commit of a log.
pub(crate) fn first_chain(log_id: &[u8; 16]) -> Chain {
    let mut hash = Sha256::new();
    hash.update(b"kiroku log");
    hash.update(log_id);
    hash.finish()
}

/// Is there a whole commit with a number above `number` anywhere in `bytes`? It can only have been written after commit
/// `number` was durable.
pub(crate) fn holds_later_commit(bytes: &[u8], number: u64) -> bool {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| *b == COMMIT_MARK[0]).map(|n| n + from) {
        if at >= HEADER
            && bytes[at..].starts_with(&COMMIT_MARK)
            && let Ok((Frame::Commit { number: found, .. }, _)) = read(&bytes[at - HEADER..])
            && found > number
        {
            return true;
        }
        from = at + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head, a record and a commit of the first release.
    const GOLDEN: &str = concat!(
        "dfbcf6ef39000000010000000300000000000000000000000000000001020202020202020202020202020202022900000000",
        "00000052f79b87d2e630c28571371bb81df72d80c9bcce537c35c70fa75183fc2aaa25",
        "f72906a0050000000204070063000000000000000045b6a49a01000076616c7565",
        "014debc32c0000000300000029000000000000000045b6a49a010000f76b69726f6b75c3d880cc68703af5267128ed653fd5",
        "45edf46d55707a68243d6bc922e4f284617501000000",
    );

    #[test]
    fn frames_read_back_and_any_flipped_bit_is_found() {
        let mut out = Vec::new();
        write_record(&mut out, 4, 7, 99, 1234, b"value");
        let chain = next_chain(&[1; 32], &out, 5, 1234, 1);
        let record = out.len();
        write_commit(&mut out, 5, 1234, 1, &chain);
        let (frame, n) = read(&out).unwrap();
        assert_eq!(frame, Frame::Record { topic: 4, partition: 7, offset: 99, time: 1234, value: b"value" });
        assert_eq!((n, n + COMMIT_FRAME), (record, out.len()));
        assert_eq!(read(&out[n..]).unwrap().0, Frame::Commit { number: 5, time: 1234, records: 1, chain });
        assert!(holds_later_commit(&out, 4) && !holds_later_commit(&out, 5));
        for at in 0..record {
            for bit in 0..8 {
                out[at] ^= 1 << bit;
                assert!(read(&out).is_err(), "byte {at} bit {bit}");
                out[at] ^= 1 << bit;
            }
        }
    }

    /// Segments of earlier releases must read for as long as records are kept: these bytes never change, a new form gets a new
    /// number and another line here.
    #[test]
    fn frames_are_written_and_read_as_they_always_were() {
        let mut out = Vec::new();
        let chain = first_chain(&[2; 16]);
        write_head(&mut out, 3, &[2; 16], 41, &chain);
        write_record(&mut out, 4, 7, 99, 1_763_700_000_000, b"value");
        let chain = next_chain(&chain, &out[HEAD_FRAME..], 41, 1_763_700_000_000, 1);
        write_commit(&mut out, 41, 1_763_700_000_000, 1, &chain);
        assert_eq!(out.iter().map(|b| format!("{b:02x}")).collect::<String>(), GOLDEN);
    }
}

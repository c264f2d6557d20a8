//! Formats by their first bytes.

use base64::Engine as _;

/// Headers of ISO/IEC 19794 (and ANSI/INCITS 378, 381, 385, which share them): part 2 minutiae, 3 and 8 finger patterns, 4
/// finger images, 5 faces, 6 irises, 7 signatures, 9 veins, 10 hands, 14 DNA.
const ISO_19794: &[&[u8; 4]] =
    &[b"FMR\0", b"FSP\0", b"FSK\0", b"FIR\0", b"FAC\0", b"IIR\0", b"SDI\0", b"VIR\0", b"HND\0", b"DNA\0"];

/// Biometric data objects of ISO/IEC 7816-11 (CBEFF patron format of passports): group template, template, data block.
const DATA_OBJECTS: &[[u8; 2]] = &[[0x7f, 0x61], [0x7f, 0x60], [0x7f, 0x2e], [0x5f, 0x2e]];

/// Passport data groups 2 (face), 3 (finger), 4 (iris) around a group template (ICAO 9303-10).
const DATA_GROUPS: &[u8] = &[0x75, 0x63, 0x76];

/// The first 24 bytes that a base64 text stands for, or fewer.
pub(super) fn first_bytes(encoded: &str) -> Vec<u8> {
    let mut text: Vec<u8> = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).take(32).collect();
    text.truncate(text.len() / 4 * 4);
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}

/// How many bytes a base64 text stands for.
pub(super) fn decoded_len(encoded: &str) -> usize {
    let count = |wanted: fn(&u8) -> bool| encoded.bytes().filter(wanted).count();
    let letters = count(|byte| !byte.is_ascii_whitespace());
    (letters / 4 * 3).saturating_sub(count(|byte| *byte == b'='))
}

pub(super) fn is_template(first: &[u8], len: usize) -> bool {
    let starts = |magic: &[u8]| first.starts_with(magic);
    ISO_19794.iter().any(|magic| starts(*magic))
        || DATA_OBJECTS.iter().any(|tag| starts(tag))
        || starts(b"\xff\xa0\xff") // WSQ: start of image, then another marker
        || is_data_group(first)
        || is_39794(first, len)
}

fn is_data_group(first: &[u8]) -> bool {
    let Some(tag) = first.first() else { return false };
    let inside = der_length(first).and_then(|(_, header)| first.get(header..header + 2));
    DATA_GROUPS.contains(tag) && inside == Some(&[0x7f, 0x61])
}

/// ISO/IEC 39794 in DER: an application tag with the number of the part, the length of all the rest, then the version block.
fn is_39794(first: &[u8], len: usize) -> bool {
    let is_part = first.first().is_some_and(|tag| (0x61..=0x72).contains(tag));
    let Some((length, header)) = der_length(first) else { return false };
    is_part && length.checked_add(header) == Some(len) && first.get(header) == Some(&0xa0)
}

/// Length of a DER value with a tag of one byte, and of its header.
fn der_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.get(1)?;
    if first < 0x80 {
        return Some((usize::from(first), 2));
    }
    let count = usize::from(first & 0x7f);
    let digits = bytes.get(2..2 + count).filter(|_| (1..=4).contains(&count))?;
    Some((digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), 2 + count))
}

/// Media types that mean nothing but a biometric.
pub(super) fn is_template_type(content_type: &str) -> bool {
    ["image/wsq", "image/x-wsq", "application/x-wsq"].iter().any(|kind| content_type.starts_with(kind))
}

/// PNG, JPEG, GIF, BMP, TIFF, JPEG 2000 (box and bare), WebP, HEIF and AVIF.
pub(super) fn is_image(first: &[u8]) -> bool {
    let starts = |magic: &[u8]| first.starts_with(magic);
    let at = |from: usize, magic: &[u8]| first.get(from..from + magic.len()) == Some(magic);
    starts(b"\x89PNG")
        || starts(b"\xff\xd8\xff")
        || starts(b"GIF8")
        || starts(b"BM")
        || starts(b"II*\0")
        || starts(b"MM\0*")
        || starts(b"\0\0\0\x0cjP  ")
        || starts(b"\xff\x4f\xff\x51")
        || (starts(b"RIFF") && at(8, b"WEBP"))
        || (at(4, b"ftyp") && [&b"hei"[..], b"hev", b"mif", b"msf", b"avi"].iter().any(|brand| at(8, brand)))
}

//! Stored bytes keep their past: a committed form of each stored format reads for ever, and writing gives the same bytes.
//!
//! `UPDATE_GOLDEN=1 cargo test -p tests --test architecture formats` writes the file anew: only for a format that is new, or one
//! that no folder holds yet. What the engines frame (segments of the log, slots of the keyring) is tested beside their code.

mod values;

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use minicbor::{Decode, Encode};
use schemas::codec;

use crate::root;

/// Whether bytes read as the fixed value.
type Reads = Box<dyn Fn(&[u8]) -> bool>;

/// One format: how its fixed value is written, and whether bytes read as that value.
pub(crate) struct Format {
    name: &'static str,
    written: Vec<u8>,
    reads: Reads,
    /// Sealed forms hold a fresh nonce: they must go on being opened, but are never written the same twice.
    sealed: bool,
}

impl Format {
    /// A value in the one form of all stored types.
    pub(crate) fn plain<T>(name: &'static str, value: T) -> Self
    where
        T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + 'static,
    {
        let written = codec::encode(&value);
        let reads = move |bytes: &[u8]| codec::decode::<T>("golden", bytes).is_ok_and(|read| read == value);
        Self { name, written, reads: Box::new(reads), sealed: false }
    }

    pub(crate) fn sealed(name: &'static str, written: Vec<u8>, opens: impl Fn(&[u8]) -> bool + 'static) -> Self {
        Self { name, written, reads: Box::new(opens), sealed: true }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2).context("pairs of digits")?, 16).context("digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The committed file: a name in a line of its own, its bytes in the lines below, indented.
fn read_golden(text: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        match line.strip_prefix("  ") {
            Some(digits) => found.entry(name.to_owned()).or_default().push_str(digits),
            None => name = line,
        }
    }
    found.into_iter().map(|(name, digits)| Ok((name, from_hex(&digits)?))).collect()
}

fn write_golden(formats: &[Format]) -> String {
    let mut out = String::new();
    for format in formats {
        let _ = writeln!(out, "{}", format.name);
        for line in hex(&format.written).as_bytes().chunks(116) {
            let _ = writeln!(out, "  {}", String::from_utf8_lossy(line));
        }
    }
    out
}

#[test]
fn every_stored_format_reads_its_committed_bytes_and_writes_them_again() -> Result<()> {
    let formats = values::formats();
    let path = root().join("tests/golden/formats.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, write_golden(&formats))?;
    }
    let mut golden = read_golden(&std::fs::read_to_string(&path).context("tests/golden/formats.txt")?)?;
    for format in &formats {
        let name = format.name;
        let bytes = golden.remove(name).with_context(|| {
            format!("`{name}` has no committed bytes; if it is a new format, write them with UPDATE_GOLDEN=1")
        })?;
        ensure!((format.reads)(&bytes), "what was stored as `{name}` reads no more, or as something else");
        ensure!((format.reads)(&format.written), "`{name}` does not read what it has just written");
        ensure!(
            format.sealed || bytes == format.written,
            "`{name}` is written otherwise than before: folders of both forms exist now; was:\n{}\nis:\n{}",
            hex(&bytes),
            hex(&format.written),
        );
    }
    ensure!(golden.is_empty(), "formats that nobody reads any more: {:?}", golden.keys());
    Ok(())
}

#[test]
fn a_changed_byte_of_a_stored_format_does_not_read_as_the_same_value() {
    for format in values::formats() {
        for at in [0, format.written.len() / 2, format.written.len() - 1] {
            let mut bytes = format.written.clone();
            bytes[at] ^= 1;
            assert!(!(format.reads)(&bytes), "`{}` reads as before with byte {at} changed", format.name);
        }
    }
}

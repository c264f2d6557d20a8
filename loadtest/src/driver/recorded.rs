//! Answers of a server, kept in a file, so that the bare endpoint gives back the same bytes for the same paths.
//!
//! The file is a sequence of answers, each of three parts: path, header lines, body. A part is its length (`u32`, little
//! endian) and its bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read, Write as _};
use std::path::Path;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use anyhow::{Context as _, Result};

use super::http::Answer;

/// Header lines that every HTTP server writes for itself.
const OWN: [&str; 3] = ["content-length", "date", "connection"];

/// Writes answers.
pub struct Recorder(BufWriter<File>);

impl Recorder {
    /// A new file in place of an older one.
    pub fn create(file: &Path) -> Result<Self> {
        Ok(Self(BufWriter::with_capacity(1 << 20, File::create(file)?)))
    }

    /// What `GET path` was answered with.
    pub fn add(&mut self, path: &str, answer: &Answer<'_>) -> Result<()> {
        for part in [path.as_bytes(), answer.header_lines(), answer.body] {
            self.0.write_all(&u32::try_from(part.len())?.to_le_bytes())?;
            self.0.write_all(part)?;
        }
        Ok(())
    }

    /// Everything is in the file.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}

/// One answer, ready to be sent: each part has its own memory, so that threads do not share a reference count.
pub struct Recorded {
    pub headers: Box<[(HeaderName, HeaderValue)]>,
    pub body: Bytes,
}

/// Reads the answers of a file, by path.
pub fn load(file: &Path) -> Result<HashMap<Box<str>, Recorded>> {
    let mut rest = BufReader::new(File::open(file).with_context(|| format!("`{}`", file.display()))?);
    let mut all = HashMap::new();
    while !rest.fill_buf()?.is_empty() {
        let [path, lines, body] = [part(&mut rest)?, part(&mut rest)?, part(&mut rest)?];
        let headers = std::str::from_utf8(&lines)?.lines().filter_map(|line| line.split_once(':'));
        let headers = headers.filter(|(name, _)| !OWN.iter().any(|own| name.eq_ignore_ascii_case(own)));
        let headers =
            headers.map(|(name, value)| Ok((name.parse()?, value.trim().parse()?))).collect::<Result<Box<[_]>>>()?;
        all.insert(String::from_utf8(path)?.into(), Recorded { headers, body: body.into() });
    }
    Ok(all)
}

fn part(rest: &mut impl Read) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    rest.read_exact(&mut length)?;
    let mut part = vec![0; usize::try_from(u32::from_le_bytes(length))?];
    rest.read_exact(&mut part)?;
    Ok(part)
}

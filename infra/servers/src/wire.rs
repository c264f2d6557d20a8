//! Reading and writing of the big-endian fields that Kafka's and Cassandra's protocols have in common.

use anyhow::{Context, Result, ensure};

/// An answer longer than this is none of ours.
const ANSWER_MAX: i32 = 16 << 20;

/// What is left of an answer.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("the answer is too short")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn int16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }

    pub(crate) fn int32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    /// Length in 2 bytes, then the text; a negative length is no text.
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let length = usize::try_from(self.int16()?).unwrap_or(0);
        Ok(std::str::from_utf8(self.take(length)?)?)
    }

    /// Number in 4 bytes, then so many items; a negative number is none.
    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.int32()?;
        (0..count).map(|_| item(self)).collect()
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// A length that a server sent, checked before that much memory is taken.
pub(crate) fn length(bytes: [u8; 4]) -> Result<usize> {
    let length = i32::from_be_bytes(bytes);
    ensure!((0..=ANSWER_MAX).contains(&length), "the answer says that it has {length} bytes");
    Ok(length as usize)
}

//! The bare endpoint: every answer is the same bytes.

use super::super::drive::Job;
use super::super::http::{Answer, write_request};
use crate::population::Dice;

/// Expects one body.
pub struct Fixed {
    length: usize,
    crc: u32,
}

impl Fixed {
    /// The endpoint serves `body`.
    pub fn new(body: &[u8]) -> Self {
        Self { length: body.len(), crc: crc32c::crc32c(body) }
    }
}

impl Job for Fixed {
    fn write(&self, token: &str, _: &mut Dice, out: &mut Vec<u8>) -> u64 {
        write_request(out, ("GET", "/fhir/Observation/bare"), token, "", b"");
        0
    }

    fn check(&self, _: u64, answer: &Answer<'_>) -> Result<(), String> {
        let same = answer.body.len() == self.length && crc32c::crc32c(answer.body) == self.crc;
        if answer.status == 200 && same { Ok(()) } else { Err("not the bytes that the endpoint serves".to_owned()) }
    }
}

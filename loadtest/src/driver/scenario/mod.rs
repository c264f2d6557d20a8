//! What is measured. Each scenario checks its answers: a pass before the run compares whole resources with what was sent,
//! the run itself compares what a few hundred nanoseconds allow.

pub mod create;
pub mod everything;
pub mod read;
pub mod search;
pub mod synthea;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::fill::say;
use super::http::{Answer, Connection, write_request};
use super::token::Tokens;

/// Every answer about a person carries it.
pub(crate) const RECEIPT: &str = "kiroku-receipt";

/// What every answer about a person must be.
pub(crate) fn check_released(answer: &Answer<'_>, status: u16) -> Result<(), String> {
    if answer.status != status {
        return Err(format!("status {} instead of {status}", answer.status));
    }
    if answer.header(RECEIPT).is_none_or(str::is_empty) {
        return Err("no receipt".to_owned());
    }
    Ok(())
}

/// Asks once and reads the JSON; the check passes use it.
pub(crate) async fn ask(connection: &mut Connection, tokens: &Tokens, path: &str) -> Result<(Vec<u8>, Value)> {
    tokens.refresh().await?;
    let mut request = Vec::new();
    write_request(&mut request, ("GET", path), &tokens.current(), "", b"");
    let answer = connection.send(&request).await?;
    ensure!(answer.status == 200, "`GET {path}` is answered with {}: {}", answer.status, say(answer.body));
    ensure!(check_released(&answer, 200).is_ok(), "`GET {path}` is answered without a receipt");
    Ok((answer.body.to_vec(), serde_json::from_slice(answer.body)?))
}

/// Whether a resource is what was sent, except for id and meta, which the server sets.
pub(crate) fn same_content(sent: &Value, read: &Value) -> bool {
    let own = |value: &Value| {
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            object.remove("id");
            object.remove("meta");
        }
        value
    };
    own(sent) == own(read)
}

/// How many times `needle` stands in an answer.
pub(crate) fn count_of(body: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find_iter(body, needle).count()
}

//! Records of topics `person` and `commons`: sealed submissions and outcomes.

use bytes::Bytes;
use schemas::submission::{Envelope, EnvelopeKind, IdentifierHash, Outcome, Submission};
use schemas::vocab::Topic;
use schemas::{Pid, SubmissionId, codec};

use crate::crypto;
use crate::ports::keys::{RecordKey, Secret, Ticket};
use crate::ports::log::Append;
use crate::shelf::RowError;
use schemas::header::Bucket;

/// Largest unpacked submission (10 MiB of request, as CBOR with its metadata).
const UNPACKED_MAX: usize = 32 * 1024 * 1024;

/// The topic in which a shelf's submissions stand.
pub fn topic_of(pid: Pid) -> Topic {
    if pid == Pid::COMMONS { Topic::Commons } else { Topic::Person }
}

fn append(pid: Pid, envelope: &Envelope) -> Append {
    let shard = if pid == Pid::COMMONS { 0 } else { envelope.shard };
    Append { topic: topic_of(pid), shard, value: Bytes::from(codec::encode(envelope)) }
}

/// Seals a submission under a fresh data key, wrapped under the record key of `bucket`. Its verdict is waited for at `reply_to`
/// ([`crate::verdicts::Verdicts::address`]).
pub fn seal_submission(key: &RecordKey, bucket: Bucket, submission: &Submission, reply_to: u16) -> Append {
    let (data_key, wrapped) = key.wrap_data_key();
    let sealed = crypto::seal(&data_key, &submission.id.0, &codec::compress(&codec::encode(submission)));
    let wrapped_key = [&bucket.to_bytes()[..], &wrapped].concat();
    let envelope = Envelope {
        kind: EnvelopeKind::Submission,
        pid: submission.pid,
        shard: submission.pid.shard(),
        submission: submission.id,
        reply_to,
        wrapped_key,
        sealed,
    };
    append(submission.pid, &envelope)
}

/// The bucket whose record key opens a submission.
pub fn submission_bucket(envelope: &Envelope) -> Result<Bucket, RowError> {
    crate::shelf::header_bucket(&envelope.wrapped_key)
}

/// Opens a submission, inside.
pub fn open_submission(ticket: &Ticket, key: &RecordKey, envelope: &Envelope) -> Result<Submission, RowError> {
    let wrapped = envelope.wrapped_key.get(2..).ok_or(RowError::Form)?;
    let data_key = key.unwrap_data_key(ticket, wrapped)?;
    let packed = crypto::open(&data_key, &envelope.submission.0, &envelope.sealed)?;
    let plain = codec::decompress(&packed, UNPACKED_MAX).map_err(|_| RowError::Form)?;
    Ok(codec::decode("submission", &plain)?)
}

/// The record of an outcome, sealed by [`seal_verdict`] under the header key of the person's long bucket.
pub fn outcome_record(pid: Pid, submission: SubmissionId, sealed: &Bytes) -> Append {
    let envelope = Envelope {
        kind: EnvelopeKind::Outcome,
        pid,
        shard: pid.shard(),
        submission,
        reply_to: 0,
        wrapped_key: Vec::new(),
        sealed: sealed.to_vec(),
    };
    append(pid, &envelope)
}

/// The sealed form of an outcome, as it stands in the log and in the verdict row.
pub fn seal_verdict(key: &Secret, submission: SubmissionId, outcome: &Outcome) -> Bytes {
    crypto::seal(key, &submission.0, &codec::encode(outcome)).into()
}

/// Opens a sealed outcome.
pub fn open_verdict(key: &Secret, submission: SubmissionId, sealed: &[u8]) -> Result<Outcome, RowError> {
    let plain = crypto::open(key, &submission.0, sealed)?;
    Ok(codec::decode("outcome", &plain)?)
}

/// What the person index holds instead of an identifier.
pub fn identifier_hash(index_key: &Secret, system: &str, value: &str) -> IdentifierHash {
    let mac = crypto::hmac(index_key, &[system.as_bytes(), b"\0", value.as_bytes()]);
    let mut out = [0u8; 16];
    out.copy_from_slice(&mac[..16]);
    IdentifierHash(out)
}

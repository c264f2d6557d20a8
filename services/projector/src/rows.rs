//! (submission, outcome) -> rows. The same function builds them live and in a rebuild.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use chassis::envelope;
use chassis::ports::keys::{Job, PlatformKey, Ticket};
use chassis::ports::store::{Batch, Row, Table};
use chassis::shelf;
use chassis::shelves::Shelves;
use chassis::verdicts::Opened;
use schemas::header::{Bucket, Header, ItemVersion};
use schemas::search::{ParamValue, SearchValue};
use schemas::submission::{Change, Command, Effect, Outcome, OutcomeResult, Submission, Written};
use schemas::vocab::Label;
use schemas::{ItemKey, Pid, ResourceId};

use crate::ProjectorError;
use crate::work::Work;

/// Inside work of this role.
pub(crate) const TICKET: Ticket = Ticket::for_job(Job::Project);

/// Builds all rows of one submission and moves `work` on to the state after it. The verdict row holds the outcome as it stands
/// `sealed` in the log.
pub(crate) async fn build_rows(
    shelves: &Shelves,
    work: &mut Work<'_>,
    Opened { submission, search, .. }: Opened,
    (outcome, sealed): (&Outcome, Bytes),
) -> Result<Batch, ProjectorError> {
    let pid = submission.pid;
    let mut rows = Vec::new();
    if let (OutcomeResult::Accepted(written), Command::Write(changes)) = (&outcome.result, &submission.command) {
        let moved = moved_references(pid, changes, written);
        // What was taken out at the door holds for bodies that stay as they are.
        let mut search = search.into_iter().filter(|_| moved.is_empty());
        for (change, written) in changes.iter().zip(written) {
            let values = search.next();
            let about = (change, written, &moved, values);
            build_change(shelves, work, &submission, outcome, about, &mut rows).await?;
        }
    }
    if let Command::Quarantine { identifiers, request } = &submission.command {
        let key = Bytes::copy_from_slice(&submission.id.0);
        rows.push(row(Table::Quarantine, &submission.id.0, Bytes::new(), request.clone().into()));
        rows.extend(identifiers.iter().map(|hash| row(Table::Quarantine, &hash.0, key.clone(), Bytes::new())));
    }
    let before = work.state(pid).await?;
    let long = shelves.header_secret(pid, Bucket::Long).await?;
    if let Some(next) = domain::apply(before.as_deref(), &submission, outcome) {
        rows.push(row(Table::State, &pid.0, Bytes::new(), shelf::seal_state(&long, &next)));
        work.set_state(next);
    }
    rows.push(row(Table::Verdict, &pid.0, submission.id.0.to_vec().into(), sealed));
    rows.push(row(Table::Submission, &submission.id.0, Bytes::new(), pid.0.to_vec().into()));
    Ok(Batch {
        subject: pid.0.to_vec().into(),
        stream: envelope::topic_of(pid).as_str(),
        position: outcome.position,
        rows,
    })
}

pub(crate) fn row(table: Table, partition: &[u8], key: Bytes, value: Bytes) -> Row {
    Row { table, partition: Bytes::copy_from_slice(partition), key, value }
}

/// References to ids that a conditional change did not use, and what they must read instead.
fn moved_references(pid: Pid, changes: &[Change], written: &[Written]) -> HashMap<String, String> {
    let text = |item: &ItemKey| format!("\"{}/{}\"", item.resource_type, ResourceId { pid, local: item.local });
    let moved = changes.iter().zip(written).filter(|(change, written)| change.item != written.item);
    moved.map(|(change, written)| (text(&change.item), text(&written.item))).collect()
}

async fn build_change(
    shelves: &Shelves,
    work: &mut Work<'_>,
    submission: &Submission,
    outcome: &Outcome,
    (change, written, moved, values): (&Change, &Written, &HashMap<String, String>, Option<Vec<ParamValue>>),
    rows: &mut Vec<Row>,
) -> Result<(), ProjectorError> {
    let pid = submission.pid;
    if matches!(written.effect, Effect::Matched | Effect::None) {
        return Ok(());
    }
    if written.version > 1
        && let Some(old) = work.header(pid, written.item).await?
    {
        let bucket = old.body.map_or(Bucket::Long, |b| b.bucket);
        let sealed = shelf::seal_header(&shelves.header_secret(pid, bucket).await?, bucket, &old);
        rows.push(row(Table::Version, &pid.0, shelf::version_row_key(&old.item, old.version), sealed));
    }
    let mut header = new_header(submission, outcome, change, written, work).await?;
    if written.effect != Effect::Deleted {
        let body = rewrite(&change.body, moved);
        header.search = values.unwrap_or_else(|| extract(pid, &header, &body));
        if pid == Pid::COMMONS {
            index_commons(shelves, &header, rows).await?;
        }
        let bucket = shelf::bucket_for(outcome.time, header.has_label(Label::KeepLong) || pid == Pid::COMMONS);
        let version = ItemVersion { item: written.item, version: written.version, bucket: Some(bucket) };
        let key = shelves.keys.record_key(pid, bucket).await?.row_key(&TICKET, &version);
        let (reference, chunks) = shelf::seal_body(&key, &version, bucket, &body);
        header.body = Some(reference);
        let partition = shelf::body_partition(pid, bucket);
        for (n, chunk) in (0u16..).zip(chunks) {
            rows.push(row(Table::Body, &partition, shelf::body_row_key(&written.item, written.version, n), chunk));
        }
    }
    let bucket = header.body.map_or(Bucket::Long, |b| b.bucket);
    let sealed = shelf::seal_header(&shelves.header_secret(pid, bucket).await?, bucket, &header);
    rows.push(row(Table::Header, &pid.0, shelf::item_row_key(&written.item), sealed));
    work.set_header(pid, header);
    Ok(())
}

async fn new_header(
    submission: &Submission,
    outcome: &Outcome,
    change: &Change,
    written: &Written,
    work: &mut Work<'_>,
) -> Result<Header, ProjectorError> {
    let meta = match (&change.meta, written.effect) {
        (Some(meta), _) => Some(meta.clone()),
        // A deletion keeps category and labels, so that the filter still answers for it.
        (None, _) => work.header(submission.pid, written.item).await?.map(|old| old.meta),
    };
    Ok(Header {
        item: written.item,
        version: written.version,
        deleted: written.effect == Effect::Deleted,
        position: outcome.position,
        last_updated: outcome.time,
        meta: meta.expect("the domain accepts a change without meta only for a delete of an existing item"),
        author_organisation: submission.author.organisation.clone(),
        author_client: submission.author.client.clone(),
        author_practitioner: submission.author.practitioner.clone(),
        submission: submission.id,
        body: None,
        search: Vec::new(),
    })
}

fn rewrite<'b>(body: &'b [u8], moved: &HashMap<String, String>) -> Cow<'b, [u8]> {
    if moved.is_empty() {
        return body.into();
    }
    // The body is compact JSON that the door wrote: a whole quoted reference cannot be part of another string.
    let mut text = String::from_utf8_lossy(body).into_owned();
    for (from, to) in moved {
        text = text.replace(from, to);
    }
    text.into_bytes().into()
}

/// The search values of a body; the door has checked it, so it parses.
fn extract(pid: Pid, header: &Header, body: &[u8]) -> Vec<ParamValue> {
    match fhir::json::parse(body, &fhir::json::Limits::default()) {
        Ok(node) => fhir::extract::extract(header.item.resource_type, &node),
        Err(_) => {
            tracing::error!(resource = %header.reference(pid), "an accepted body does not parse; it has no search values");
            Vec::new()
        }
    }
}

/// Commons are found by identifier: (type, HMAC of the identifier) -> local.
async fn index_commons(shelves: &Shelves, header: &Header, rows: &mut Vec<Row>) -> Result<(), ProjectorError> {
    let index_key = shelves.keys.platform_key(PlatformKey::Index).await?;
    let Some(param) = fhir::search::param_index(header.item.resource_type, "identifier") else { return Ok(()) };
    for value in header.search.iter().filter(|v| v.param == param) {
        if let SearchValue::Token { system, code, .. } = &value.value {
            let hash = envelope::identifier_hash(&index_key, system, code);
            let key = [&[header.item.resource_type as u8][..], &hash.0].concat();
            rows.push(row(Table::CommonsIndex, b"commons", key.into(), header.item.local.0.to_vec().into()));
        }
    }
    Ok(())
}

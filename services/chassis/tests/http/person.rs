//! An answer about a person over HTTP, with a receipt of the real ledger over a log and keys that only do what it needs.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, Responder};
use async_trait::async_trait;
use base64::Engine as _;
use chassis::ledger::{Ledger, LocalLedger};
use chassis::ports::keys::{Keys, KeysError, LogKey, PlatformKey, RecordKey, Secret};
use chassis::ports::log::{Append, Appended, Log, LogError, Record};
use chassis::release::{Answer, NOTICE};
use schemas::access::{Access, AccessList, AccessOutcome, ReceiptBytes};
use schemas::header::Bucket;
use schemas::vocab::{AccessKind, Purpose, Topic};
use schemas::{ClientId, EntryId, OrganisationId, Pid};

use crate::client::get;
use crate::fixture::{settings, start};

const NOW: i64 = 1_795_219_200_000;

/// Acknowledges and keeps nothing.
struct Void;

#[async_trait]
impl Log for Void {
    fn partitions(&self, _: Topic) -> u16 {
        1
    }
    async fn append_all(&self, records: Vec<Append>) -> Result<Vec<Appended>, LogError> {
        Ok(records.iter().map(|_| Appended { partition: 0, offset: 0, time: NOW }).collect())
    }
    async fn read(&self, _: Topic, _: u16, _: u64, _: usize) -> Result<Vec<Record>, LogError> {
        Ok(Vec::new())
    }
    async fn end(&self, _: Topic, _: u16) -> Result<u64, LogError> {
        Ok(0)
    }
    async fn wait_for(&self, _: Topic, _: u16, _: u64) -> Result<(), LogError> {
        Err(LogError::Closed)
    }
}

/// One key for all.
#[async_trait]
impl Keys for Void {
    async fn create_person(&self, _: Pid) -> Result<(), KeysError> {
        Ok(())
    }
    async fn record_key(&self, _: Pid, _: Bucket) -> Result<Arc<RecordKey>, KeysError> {
        Ok(Arc::new(RecordKey::from_secret(Secret::new([1; 32]))))
    }
    async fn log_key(&self, _: &AccessList, _: u16) -> Result<Arc<LogKey>, KeysError> {
        Ok(Arc::new(LogKey::from_secret(Secret::new([2; 32]))))
    }
    async fn platform_key(&self, _: PlatformKey) -> Result<Secret, KeysError> {
        Ok(Secret::new([3; 32]))
    }
    async fn destroy_person(&self, _: Pid) -> Result<(), KeysError> {
        Ok(())
    }
}

fn access(pid: Pid) -> Access {
    Access {
        id: EntryId([9; 16]),
        person: Some(pid),
        released_at: NOW,
        kind: AccessKind::Read,
        actor: None,
        on_behalf_of: None,
        organisation: OrganisationId("clinic".into()),
        organisation_name: String::new(),
        organisation_type: String::new(),
        organisation_group: String::new(),
        processor: ClientId("system".into()),
        processor_name: String::new(),
        purpose: Purpose::Treat,
        rules: Vec::new(),
        consent: None,
        terms: String::new(),
        categories: Vec::new(),
        items: Vec::new(),
        closed_items: [0; 32],
        count: 0,
        query: String::new(),
        outcome: AccessOutcome::Success,
        reason: String::new(),
        obligations: Vec::new(),
        policy_revision: String::new(),
        input_hash: [0; 32],
        assurance: String::new(),
        token_id: String::new(),
        certificate: String::new(),
        request_id: String::new(),
        trace_id: String::new(),
        batch: None,
        subject: String::new(),
    }
}

/// Handler of `/person`.
pub(crate) async fn about_somebody(req: HttpRequest) -> HttpResponse {
    let ledger = LocalLedger::new(Arc::new(Void), Arc::new(Void)).await.unwrap();
    let (receipt, _) = ledger.append(access(Pid([7; 16]))).await.unwrap();
    Answer::about_person(receipt, 200, "{\"value\":1.50}").with_header("etag", "W/\"3\"").respond_to(&req)
}

#[tokio::test]
async fn an_answer_about_a_person_carries_its_receipt_and_the_notice_and_is_not_to_be_stored() {
    let site = start(&settings());
    let said = get(format!("{}/person", site.base)).await;
    assert_eq!((said.status, &said.body[..]), (200, &b"{\"value\":1.50}"[..]));
    let receipt = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(said.header("kiroku-receipt")).unwrap();
    let receipt: ReceiptBytes = schemas::codec::decode("receipt", &receipt).unwrap();
    assert_eq!((receipt.entry, receipt.time), (EntryId([9; 16]), NOW));
    assert_eq!(said.header("kiroku-notice"), NOTICE);
    assert_eq!(said.header("cache-control"), "no-store");
    assert_eq!(said.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_eq!(said.header("etag"), "W/\"3\"");
    assert_eq!(get(format!("{}/large", site.base)).await.header("kiroku-receipt"), "", "only about persons");
    site.running.stop().await;
}

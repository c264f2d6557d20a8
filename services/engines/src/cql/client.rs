//! A session with the CQL servers, and how statements of each use are sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslFiletype, SslMethod};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy};
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};

use super::error::{CqlError, Failure};
use super::{Config, Login};
use crate::measured::measured;

/// A request with all its retries.
const REQUEST: Duration = Duration::from_secs(5);
/// Paxos with others in the way.
const PAXOS: Duration = Duration::from_secs(8);
/// After so long a read is asked of a second node too.
const SECOND_READ: Duration = Duration::from_millis(60);
/// A change of the schema, until all nodes know it.
const SCHEMA: Duration = Duration::from_secs(60);
/// One hung node must not hold up the rest (with the driver's own settings it did for 19 s).
const KEEPALIVE: Duration = Duration::from_millis(500);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(1);
/// Pauses between tries of a write that may be repeated.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_millis(1000)];

/// What a statement is for; decides how it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// LOCAL_QUORUM; a slow node is overtaken by a second one.
    Read,
    /// What Paxos has decided, a decision under way included.
    SerialRead,
    /// LOCAL_QUORUM, repeated on errors: the same write twice is one write.
    Write,
    /// Decided by Paxos among the nodes of this data centre (all writers are in one, as the log's are); never repeated by
    /// the driver: whether it took place is read back.
    Decide,
}

pub(crate) struct Client {
    session: Session,
    reads: ExecutionProfileHandle,
    pub(crate) keyspace: String,
}

fn setting(name: &'static str, what: impl std::fmt::Display) -> CqlError {
    CqlError::Setting { name, what: what.to_string() }
}

/// Only certificates of the configured authority are trusted, none of the system's.
fn tls(config: &Config) -> Result<SslConnectorBuilder, CqlError> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|e| setting("ca", e))?;
    let pem = std::fs::read(&config.ca).map_err(|e| setting("ca", format!("`{}`: {e}", config.ca.display())))?;
    let mut store = X509StoreBuilder::new().map_err(|e| setting("ca", e))?;
    for certificate in X509::stack_from_pem(&pem).map_err(|e| setting("ca", e))? {
        store.add_cert(certificate).map_err(|e| setting("ca", e))?;
    }
    builder.set_cert_store(store.build());
    let at = |path: &std::path::Path, e| format!("`{}`: {e}", path.display());
    builder
        .set_certificate_chain_file(&config.certificate)
        .map_err(|e| setting("certificate", at(&config.certificate, e)))?;
    builder.set_private_key_file(&config.key, SslFiletype::PEM).map_err(|e| setting("key", at(&config.key, e)))?;
    builder.check_private_key().map_err(|_| setting("key", "it does not belong to the certificate"))?;
    Ok(builder)
}

impl Client {
    pub(crate) async fn connect(config: &Config, login: &Login) -> Result<Self, CqlError> {
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(Some(SerialConsistency::LocalSerial))
            .request_timeout(Some(REQUEST))
            .retry_policy(Arc::new(DefaultRetryPolicy::new()))
            .build();
        let second = SimpleSpeculativeExecutionPolicy { max_retry_count: 1, retry_interval: SECOND_READ };
        let reads = profile.to_builder().speculative_execution_policy(Some(Arc::new(second))).build().into_handle();
        let keyspace = &config.keyspace;
        let mut builder = SessionBuilder::new()
            .known_nodes(&config.nodes)
            .tls_context(Some(tls(config)?))
            .user(&login.user, &login.password)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(REQUEST)
            .keepalive_interval(KEEPALIVE)
            .keepalive_timeout(KEEPALIVE_TIMEOUT)
            .schema_agreement_interval(Duration::from_millis(50))
            .schema_agreement_timeout(SCHEMA)
            .keyspaces_to_fetch([keyspace.clone(), format!("{keyspace}_keys"), format!("{keyspace}_erasures")]);
        if let Some(datacenter) = &config.datacenter {
            builder = builder.prefer_datacenter(datacenter.clone());
        }
        let session = builder.build().await.map_err(|e| CqlError::Connection(e.to_string()))?;
        Ok(Self { session, reads, keyspace: keyspace.clone() })
    }

    /// Prepares a statement of [`super::statements`]; `${keyspace}` and `${table}` are filled in.
    pub(crate) async fn prepare(&self, text: &str, table: &str, kind: Use) -> Result<PreparedStatement, Failure> {
        let text = text.replace("${keyspace}", &self.keyspace).replace("${table}", table);
        let mut statement = self.session.prepare(text).await?;
        match kind {
            Use::Read => {
                statement.set_is_idempotent(true);
                statement.set_execution_profile_handle(Some(self.reads.clone()));
            }
            Use::SerialRead => {
                statement.set_is_idempotent(true);
                statement.set_consistency(Consistency::LocalSerial);
                statement.set_request_timeout(Some(PAXOS));
            }
            Use::Write => statement.set_is_idempotent(true),
            Use::Decide => {
                statement.set_is_idempotent(false);
                statement.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
                statement.set_request_timeout(Some(PAXOS));
            }
        }
        Ok(statement)
    }

    pub(crate) async fn execute(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<QueryResult, Failure> {
        Ok(self.session.execute_unpaged(statement, values).await?)
    }

    /// All rows of an answer, fetched page by page.
    pub(crate) async fn rows<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Clone,
    ) -> Result<Vec<R>, Failure>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        measured("read", self.pages(statement, values)).await
    }

    async fn pages<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Clone,
    ) -> Result<Vec<R>, Failure>
    where
        R: for<'frame> DeserializeRow<'frame, 'frame>,
    {
        let mut rows = Vec::new();
        let mut page = scylla::response::PagingState::start();
        loop {
            let (result, next) = self.session.execute_single_page(statement, values.clone(), page).await?;
            let result = result.into_rows_result().map_err(Failure::form)?;
            for row in result.rows::<R>().map_err(Failure::form)? {
                rows.push(row.map_err(Failure::form)?);
            }
            match next.into_paging_control_flow() {
                std::ops::ControlFlow::Break(()) => return Ok(rows),
                std::ops::ControlFlow::Continue(state) => page = state,
            }
        }
    }

    /// A write of rows of one partition of one table, as one mutation: the servers apply it whole or not at all, and it
    /// becomes visible in one piece. Repeated on errors that may pass.
    ///
    /// Statements of an unlogged batch that touch one partition are joined by the coordinator into one mutation, and the
    /// servers' limits on the size of batches (5 and 50 KiB, or 128 KiB and 1 MiB) count only batches of several mutations.
    /// What does bind is the largest mutation: half a segment of the commit log, 16 MiB by default.
    pub(crate) async fn write(&self, statement: &PreparedStatement, rows: &[WriteRow<'_>]) -> Result<(), Failure> {
        measured("write", self.mutate(statement, rows)).await
    }

    async fn mutate(&self, statement: &PreparedStatement, rows: &[WriteRow<'_>]) -> Result<(), Failure> {
        let mut batch = Batch::new(BatchType::Unlogged);
        if rows.len() > 1 {
            rows.iter().for_each(|_| batch.append_statement(statement.clone()));
            batch.set_is_idempotent(true);
        }
        let mut pauses = PAUSES.iter();
        loop {
            let written = match rows {
                [] => return Ok(()),
                [one] => self.session.execute_unpaged(statement, *one).await,
                many => self.session.batch(&batch, many).await,
            };
            match written.map_err(Failure::from) {
                Ok(_) => return Ok(()),
                Err(failure) => match pauses.next() {
                    Some(pause) if failure.may_pass => tokio::time::sleep(*pause).await,
                    _ => return Err(failure),
                },
            }
        }
    }

    /// Sends a change of the schema and waits until all nodes know it.
    pub(crate) async fn change_schema(&self, text: &str) -> Result<QueryResult, scylla::errors::ExecutionError> {
        let mut statement = scylla::statement::Statement::new(text);
        statement.set_request_timeout(Some(SCHEMA));
        self.session.query_unpaged(statement, ()).await
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }
}

/// pk, kind, key, value, write time.
pub(crate) type WriteRow<'a> = (&'a Bytes, i8, &'a Bytes, &'a Bytes, i64);

/// Whether a statement with `IF` took effect: the first column of the first row, whatever else the server adds (Cassandra
/// gives the present row where it did not, ScyllaDB always, and one row for each statement of a batch).
pub(crate) fn took_effect(result: QueryResult) -> Result<bool, Failure> {
    let rows = result.into_rows_result().map_err(Failure::form)?;
    let row = rows.first_row::<scylla::value::Row>().map_err(Failure::form)?;
    match row.columns.first() {
        Some(Some(scylla::value::CqlValue::Boolean(applied))) => Ok(*applied),
        _ => Err(Failure::form("no `[applied]`")),
    }
}

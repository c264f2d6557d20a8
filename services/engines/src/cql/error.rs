//! What can go wrong between this program and the CQL servers, in words. INVARIANT: no text holds a value of a row: of a server's
//! answer only the kind is told, except where the statement was a change of the schema.

use chassis::ports::keys::KeysError;
use chassis::ports::store::StoreError;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::embedded::EngineError;

/// Why the engine did not open or migrate.
#[derive(Debug, thiserror::Error)]
pub enum CqlError {
    #[error("setting `{name}` of the CQL servers: {what}")]
    Setting { name: &'static str, what: String },
    #[error("no session with the CQL servers: {0}")]
    Connection(String),
    #[error("keyspace `{keyspace}` has no schema, or one older than this program ({what}); migrate it first")]
    OldSchema { keyspace: String, what: String },
    #[error(
        "migration {number} was applied to keyspace `{keyspace}` with another text; a past migration is never changed"
    )]
    ChangedMigration { keyspace: String, number: i32 },
    #[error(
        "keyspace `{keyspace}` holds migration {number}, which this program does not know; migrate with the newer one"
    )]
    NewerSchema { keyspace: String, number: i32 },
    #[error("a change of the schema failed: {0}")]
    Schema(String),
    #[error("{0}")]
    Request(#[from] Failure),
    #[error(transparent)]
    File(#[from] EngineError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A request that did not succeed. After a write it is unknown whether the write took place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    words: String,
    /// The same request may succeed later.
    pub(crate) may_pass: bool,
}

impl Failure {
    /// An answer that is not of the form the statement asks for.
    pub(crate) fn form(what: impl std::fmt::Display) -> Self {
        Self { words: format!("an answer of the CQL servers does not read: {what}"), may_pass: false }
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        let (words, may_pass) = match &error {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(kind, _)) => {
                (kind.to_string(), !is_refusal(kind))
            }
            ExecutionError::BadQuery(_) => ("a value does not fit its statement".to_owned(), false),
            ExecutionError::PrepareError(error) => (prepare_words(error), true),
            other => (other.to_string(), true),
        };
        Self { words: format!("the CQL servers: {words}"), may_pass }
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        let may_pass = !matches!(
            &error,
            PrepareError::AllAttemptsFailed { first_attempt: RequestAttemptError::DbError(kind, _) } if is_refusal(kind)
        );
        Self { words: format!("the CQL servers: {}", prepare_words(&error)), may_pass }
    }
}

/// A statement has no values yet, so that the server's own words may be told.
fn prepare_words(error: &PrepareError) -> String {
    format!("a statement was not taken: {error}")
}

/// The server will say the same again.
fn is_refusal(kind: &DbError) -> bool {
    matches!(
        kind,
        DbError::SyntaxError
            | DbError::Invalid
            | DbError::Unauthorized
            | DbError::ConfigError
            | DbError::AlreadyExists { .. }
            | DbError::AuthenticationError
    )
}

/// A change of the schema holds no value: the server's own words help.
pub(crate) fn schema_error(error: &ExecutionError) -> CqlError {
    CqlError::Schema(error.to_string())
}

pub(crate) fn read_error(failure: Failure) -> StoreError {
    StoreError::Io(failure.words)
}

pub(crate) fn write_error(failure: Failure) -> StoreError {
    StoreError::NotWritable(failure.words)
}

pub(crate) fn keys_read_error(failure: Failure) -> KeysError {
    KeysError::Io(std::io::Error::other(failure.words))
}

pub(crate) fn keys_write_error(failure: Failure) -> KeysError {
    KeysError::NotWritable(failure.words)
}

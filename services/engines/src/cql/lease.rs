//! Who may change the schema: one at a time in the whole cluster, because two changes of the schema at once, through two nodes,
//! can leave Cassandra with two tables of one name.
//!
//! The lease ends by itself after two minutes, and is prolonged before every statement. Should its holder hang for longer, the
//! next one repeats the same statements, which all say IF NOT EXISTS or IF EXISTS.

use std::sync::Arc;
use std::time::{Duration, Instant};

use scylla::errors::ExecutionError;
use scylla::statement::prepared::PreparedStatement;

use super::client::{Client, Use, took_effect};
use super::error::{CqlError, schema_error};
use super::statements::schema;

/// How long another's change is waited for.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Lease {
    client: Arc<Client>,
    by: [u8; 16],
    keep: PreparedStatement,
}

impl Lease {
    pub(super) async fn take(client: &Arc<Client>) -> Result<Self, CqlError> {
        let take = client.prepare(schema::LEASE_TAKE, "", Use::Decide).await?;
        let keep = client.prepare(schema::LEASE_KEEP, "", Use::Decide).await?;
        let mut by = [0; 16];
        schemas::random::fill(&mut by);
        let start = Instant::now();
        loop {
            // After a timeout it may be ours or not: prolonging it tells.
            let mut taken = match client.execute(&take, (&by[..],)).await {
                Ok(result) => took_effect(result)?,
                Err(failure) if !failure.may_pass => return Err(failure.into()),
                Err(_) => false,
            };
            if !taken {
                taken = took_effect(client.execute(&keep, (&by[..], &by[..])).await?)?;
            }
            if taken {
                return Ok(Self { client: Arc::clone(client), by, keep });
            }
            if start.elapsed() > PATIENCE {
                return Err(CqlError::Schema("another process has been changing it for three minutes".to_owned()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs one statement as the only one who changes the schema.
    pub(super) async fn run(&self, text: &str) -> Result<(), CqlError> {
        let kept = took_effect(self.client.execute(&self.keep, (&self.by[..], &self.by[..])).await?)?;
        if !kept {
            return Err(CqlError::Schema("the lease was lost to another process; run it again".to_owned()));
        }
        self.client.change_schema(text).await.map(drop).map_err(|e: ExecutionError| schema_error(&e))
    }

    pub(super) async fn end(self) -> Result<(), CqlError> {
        let end = self.client.prepare(schema::LEASE_END, "", Use::Decide).await?;
        self.client.execute(&end, (&self.by[..],)).await?;
        Ok(())
    }
}

/// The statements of a file of `schemas/cql`, with its names filled in.
pub(super) fn statements(text: &str, names: &[(&str, &str)]) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let fill = |text: &str| names.iter().fold(text.to_owned(), |t, (name, value)| t.replace(name, value));
    lines.join("\n").split(';').map(str::trim).filter(|s| !s.is_empty()).map(fill).collect()
}

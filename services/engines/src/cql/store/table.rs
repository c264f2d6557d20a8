//! The prepared statements of a generation, each prepared at its first use.

use std::array;

use scylla::statement::prepared::PreparedStatement;
use tokio::sync::OnceCell;

use super::place::{BODY, NAMES};
use crate::cql::client::{Client, Use};
use crate::cql::error::Failure;
use crate::cql::statements::rows;

/// Statements on one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Text {
    Write,
    Read,
    From,
    FromTo,
    After,
    Back,
    BackFrom,
    Partitions,
    PartitionsAfter,
    All,
    AllAfter,
    Drop,
    DropKind,
}

const TEXTS: usize = 13;

impl Text {
    fn cql(self) -> (&'static str, Use) {
        match self {
            Self::Write => (rows::WRITE, Use::Write),
            Self::Read => (rows::READ, Use::Read),
            Self::From => (rows::FROM, Use::Read),
            Self::FromTo => (rows::FROM_TO, Use::Read),
            Self::After => (rows::AFTER, Use::Read),
            Self::Back => (rows::BACK, Use::Read),
            Self::BackFrom => (rows::BACK_FROM, Use::Read),
            Self::Partitions => (rows::PARTITIONS, Use::Read),
            Self::PartitionsAfter => (rows::PARTITIONS_AFTER, Use::Read),
            Self::All => (rows::ALL, Use::Read),
            Self::AllAfter => (rows::ALL_AFTER, Use::Read),
            Self::Drop => (rows::DROP, Use::Write),
            Self::DropKind => (rows::DROP_KIND, Use::Write),
        }
    }
}

/// Rows in one page of an answer.
const PAGE: i32 = 1000;
/// A part of a body has up to 512 KiB.
const BODY_PAGE: i32 = 16;

pub(super) struct Tables {
    names: [String; NAMES.len()],
    prepared: [[OnceCell<PreparedStatement>; TEXTS]; NAMES.len()],
}

impl Tables {
    pub(super) fn new(keyspace: &str, generation: u32) -> Self {
        Self {
            names: array::from_fn(|n| format!("{keyspace}.{}_{generation}", NAMES[n])),
            prepared: array::from_fn(|_| array::from_fn(|_| OnceCell::new())),
        }
    }

    pub(super) async fn statement(
        &self,
        client: &Client,
        table: usize,
        text: Text,
    ) -> Result<&PreparedStatement, Failure> {
        let prepare = async || {
            let (cql, kind) = text.cql();
            let mut statement = client.prepare(cql, &self.names[table], kind).await?;
            statement.set_page_size(if table == BODY { BODY_PAGE } else { PAGE });
            Ok(statement)
        };
        self.prepared[table][text as usize].get_or_try_init(prepare).await
    }
}

//! Generations of the tables: their numbers at the end of the tables' names, and one row that names the one that serves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use chassis::ports::store::{Generations, Store, StoreError};
use scylla::statement::prepared::PreparedStatement;

use super::place::NAMES;
use super::{CqlStore, Once};
use crate::cql::client::{Client, Use, took_effect};
use crate::cql::error::{CqlError, Failure, read_error, write_error};
use crate::cql::lease::{Lease, statements};
use crate::cql::statements::schema;

const TABLES: &str = include_str!("../../../../../schemas/cql/generation.cql");
/// Another process may switch: this one sees it within so long.
const REFRESH: Duration = Duration::from_secs(1);
const MADE: &str = "made";
/// Its tables are being dropped, or were until a removal stopped half way.
const REMOVING: &str = "removing";
const REMOVED: &str = "removed";

pub(crate) struct CqlGenerations {
    client: Arc<Client>,
    /// May change the schema.
    admin: Arc<Client>,
    live: Arc<AtomicU32>,
    once: Arc<Once>,
    open: tokio::sync::Mutex<HashMap<u32, Arc<CqlStore>>>,
}

fn id(generation: u32) -> Result<i32, StoreError> {
    i32::try_from(generation).map_err(|_| StoreError::NoGeneration(generation))
}

fn from_cql(error: CqlError) -> StoreError {
    match error {
        CqlError::Store(error) => error,
        other => StoreError::NotWritable(other.to_string()),
    }
}

async fn state(client: &Client, generation: u32) -> Result<Option<String>, CqlError> {
    let read = client.prepare(schema::GENERATION, "", Use::SerialRead).await?;
    let rows = client.rows::<(String,)>(&read, (id(generation)?,)).await?;
    Ok(rows.into_iter().next().map(|(state,)| state))
}

async fn set_state(admin: &Client, generation: u32, to: &str, from: &str) -> Result<(), CqlError> {
    let change = admin.prepare(schema::GENERATION_STATE, "", Use::Decide).await?;
    if !took_effect(admin.execute(&change, (to, id(generation)?, from)).await?)? {
        return Err(CqlError::Schema(format!("another process makes or removes generation {generation} just now")));
    }
    Ok(())
}

/// Makes the tables of a generation unless they are there.
async fn make_generation(admin: &Arc<Client>, generation: u32) -> Result<(), CqlError> {
    match state(admin, generation).await? {
        Some(state) if state == MADE => Ok(()),
        before => make_tables(admin, generation, before).await,
    }
}

/// Makes the tables of the generation that serves, those that this release has added included.
pub(in crate::cql) async fn make_live_generation(admin: &Arc<Client>) -> Result<(), CqlError> {
    let read = admin.prepare(schema::LIVE, "", Use::SerialRead).await?;
    let generation = read_live(admin, &read).await?;
    make_tables(admin, generation, state(admin, generation).await?).await
}

async fn make_tables(admin: &Arc<Client>, generation: u32, before: Option<String>) -> Result<(), CqlError> {
    let lease = Lease::take(admin).await?;
    let made = async {
        let number = generation.to_string();
        for statement in statements(TABLES, &[("${keyspace}", &admin.keyspace), ("${generation}", &number)]) {
            lease.run(&statement).await?;
        }
        let made = admin.prepare(schema::GENERATION_MADE, "", Use::Decide).await?;
        match before.as_deref() {
            None => took_effect(admin.execute(&made, (id(generation)?,)).await?).map(drop)?,
            Some(MADE) => {}
            Some(before) => set_state(admin, generation, MADE, before).await?,
        }
        Ok(())
    };
    let made: Result<(), CqlError> = made.await;
    lease.end().await?;
    made
}

impl CqlGenerations {
    pub(in crate::cql) async fn open(client: Arc<Client>, admin: Arc<Client>) -> Result<Arc<Self>, CqlError> {
        let read = client.prepare(schema::LIVE, "", Use::Read).await?;
        let now = read_live(&client, &read).await?;
        let once = Arc::new(Once::new(Arc::clone(&client)).await?);
        let live = Arc::new(AtomicU32::new(now));
        let open = tokio::sync::Mutex::default();
        tokio::spawn(follow_live(Arc::downgrade(&client), read, Arc::downgrade(&live)));
        Ok(Arc::new(Self { client, admin, live, once, open }))
    }
}

impl CqlGenerations {
    pub(in crate::cql) fn once(&self) -> Arc<Once> {
        Arc::clone(&self.once)
    }
}

async fn read_live(client: &Client, read: &PreparedStatement) -> Result<u32, Failure> {
    let rows = client.rows::<(i32,)>(read, ()).await?;
    let id = rows.first().ok_or_else(|| Failure::form("no generation serves"))?.0;
    u32::try_from(id).map_err(Failure::form)
}

/// Ends with the engine. While the servers do not answer, the last known generation serves.
async fn follow_live(client: Weak<Client>, read: PreparedStatement, live: Weak<AtomicU32>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        let (Some(client), Some(live)) = (client.upgrade(), live.upgrade()) else { return };
        match read_live(&client, &read).await {
            Ok(now) => {
                let before = live.swap(now, Ordering::SeqCst);
                if before != now {
                    tracing::info!(before, now, "another generation of the tables serves");
                }
            }
            Err(error) => tracing::warn!(%error, "the generation that serves cannot be read"),
        }
    }
}

#[async_trait]
impl Generations for CqlGenerations {
    fn live(&self) -> u32 {
        self.live.load(Ordering::SeqCst)
    }

    async fn open(&self, generation: u32) -> Result<Arc<dyn Store>, StoreError> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.get(&generation) {
            return Ok(Arc::clone(store) as Arc<dyn Store>);
        }
        make_generation(&self.admin, generation).await.map_err(from_cql)?;
        let store = Arc::new(CqlStore::new(Arc::clone(&self.client), generation, Arc::clone(&self.once)));
        open.insert(generation, Arc::clone(&store));
        Ok(store)
    }

    async fn switch(&self, generation: u32) -> Result<(), StoreError> {
        if state(&self.client, generation).await.map_err(from_cql)?.as_deref() != Some(MADE) {
            return Err(StoreError::NoGeneration(generation));
        }
        let read = self.client.prepare(schema::LIVE, "", Use::SerialRead).await.map_err(read_error)?;
        let switch = self.client.prepare(schema::SWITCH, "", Use::Decide).await.map_err(write_error)?;
        let before = id(read_live(&self.client, &read).await.map_err(read_error)?)?;
        let switched = self.client.execute(&switch, (id(generation)?, before)).await;
        // Whatever was answered: what the row holds counts.
        let now = read_live(&self.client, &read).await.map_err(read_error)?;
        self.live.store(now, Ordering::SeqCst);
        if now == generation {
            return Ok(());
        }
        let another = || StoreError::NotWritable(format!("another process has switched to generation {now}"));
        Err(switched.map_or_else(write_error, |_| another()))
    }

    async fn list(&self) -> Result<Vec<u32>, StoreError> {
        let read = self.client.prepare(schema::GENERATIONS, "", Use::Read).await.map_err(read_error)?;
        let rows = self.client.rows::<(i32, String)>(&read, ()).await.map_err(read_error)?;
        let there = rows.into_iter().filter(|(_, state)| state != REMOVED);
        let mut found: Vec<u32> = there.filter_map(|(id, _)| u32::try_from(id).ok()).collect();
        found.sort_unstable();
        Ok(found)
    }

    async fn remove(&self, generation: u32) -> Result<(), StoreError> {
        let read = self.client.prepare(schema::LIVE, "", Use::SerialRead).await.map_err(read_error)?;
        if generation == read_live(&self.client, &read).await.map_err(read_error)? {
            return Err(StoreError::NotWritable(format!("generation {generation} serves")));
        }
        let before = match state(&self.client, generation).await.map_err(from_cql)? {
            Some(state) if state != REMOVED => state,
            _ => return Err(StoreError::NoGeneration(generation)),
        };
        let mut open = self.open.lock().await;
        if let Some(store) = open.remove(&generation)
            && let Err(used) = Arc::try_unwrap(store)
        {
            open.insert(generation, used);
            return Err(StoreError::NotWritable(format!("generation {generation} is still read")));
        }
        self.drop_tables(generation, &before).await.map_err(from_cql)
    }
}

impl CqlGenerations {
    /// A removal that stops half way can be asked for again.
    async fn drop_tables(&self, generation: u32, before: &str) -> Result<(), CqlError> {
        let lease = Lease::take(&self.admin).await?;
        let dropped = async {
            set_state(&self.admin, generation, REMOVING, before).await?;
            for name in NAMES {
                let table = format!("{}.{name}_{generation}", self.admin.keyspace);
                lease.run(&schema::DROP_TABLE.replace("${table}", &table)).await?;
            }
            set_state(&self.admin, generation, REMOVED, REMOVING).await
        };
        let dropped: Result<(), CqlError> = dropped.await;
        lease.end().await?;
        dropped
    }
}

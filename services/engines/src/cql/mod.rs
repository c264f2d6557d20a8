//! The store and the keyring on CQL servers (Cassandra 5 or ScyllaDB), for many processes at once.
//!
//! Three things stand in the place of the embedded engine's locks:
//! - rows carry the log's position as their write time, so that a late write of an older position never wins ([`store`]);
//! - where processes must agree (keys, `once`, generations) Paxos decides, and what is returned is read back ([`keys`]);
//! - the schema is changed by [`migrate`] under a lease, and [`open`] refuses one that is older than the program.
//!
//! What the servers must be set to: sync the commit log before they acknowledge (Cassandra: `commitlog_sync: batch`), take write
//! times from the client (the default), take mutations of 12 MiB (half of a commit log segment of 32 MiB, the default) and
//! requests of as much (Cassandra: `native_transport_max_frame_size`, 16 MiB by default). All writers are in one data centre.

mod carry;
mod client;
mod error;
mod keys;
mod lease;
mod migrate;
mod statements;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{Clock, SystemClock};
use chassis::ports::keys::Keys;
use chassis::ports::store::Generations;

pub use self::carry::CqlCarrier;
use self::client::Client;
pub use self::error::{CqlError, Failure};
use self::keys::CqlKeys;
pub use self::migrate::migrate;
use self::store::CqlGenerations;

/// A role of the CQL servers.
#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl Login {
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

/// Settings of the engine.
#[derive(Clone)]
pub struct Config {
    /// `host:port`; some of the nodes are enough, the rest is learnt from them.
    pub nodes: Vec<String>,
    /// PEM: the authority of the nodes' certificates, our certificate (with its chain) and its key.
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Reads and writes rows; the keyring too, unless `keys_login` is set.
    pub login: Login,
    /// The keyring's own role. Default: as `login`.
    pub keys_login: Option<Login>,
    /// Makes and changes tables and grants. Default: as `login`, and then no role is made. A process that only serves needs
    /// none: a generation is made by `migrate` (the first) or by a rebuild.
    pub admin: Option<Login>,
    /// Copies of each row in each data centre; read only when the keyspaces are made.
    pub replication: u8,
    /// Requests go to this data centre; needed where there are several.
    pub datacenter: Option<String>,
    /// Beside it are `KEYSPACE_keys` and `KEYSPACE_erasures`. Small letters, digits, `_`; at most 38.
    pub keyspace: String,
    /// 32 bytes, mode 0600; made at first start if the keyring is new. The same file for all processes.
    pub key_encryption_key: PathBuf,
    /// How long an opened key is used without asking again: within this an erasure by another process is seen.
    pub key_cache: Duration,
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// Nodes, the three PEM files (authority, certificate, key), the role, and where the key-encryption key lies.
    pub fn new(nodes: Vec<String>, tls: [PathBuf; 3], login: Login, key_encryption_key: impl Into<PathBuf>) -> Self {
        let [ca, certificate, key] = tls;
        Self {
            nodes,
            ca,
            certificate,
            key,
            login,
            keys_login: None,
            admin: None,
            replication: 3,
            datacenter: None,
            keyspace: "kiroku".to_owned(),
            key_encryption_key: key_encryption_key.into(),
            key_cache: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }

    fn check(&self) -> Result<(), CqlError> {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let name = self.keyspace.as_bytes();
        if name.len() > 38 || !name.first().is_some_and(u8::is_ascii_lowercase) || !name.iter().all(|b| is_plain(*b)) {
            let what = "small letters, digits and `_`, a letter first, at most 38".to_owned();
            return Err(CqlError::Setting { name: "keyspace", what });
        }
        if self.replication == 0 {
            return Err(CqlError::Setting { name: "replication", what: "at least 1".to_owned() });
        }
        Ok(())
    }
}

/// The open engine.
pub struct Cql {
    pub generations: Arc<dyn Generations>,
    pub keys: Arc<dyn Keys>,
    /// For `kiroku copy`.
    pub carrier: CqlCarrier,
}

/// Connects, compares the schema with the program's, checks the key-encryption key.
///
/// # Errors
/// In words where a setting is wrong, no node answers, the schema is older than the program, a past migration was changed,
/// the key-encryption key is another one, or the journal of erasures that belongs to the keyring is missing.
pub async fn open(config: &Config) -> Result<Cql, CqlError> {
    config.check()?;
    let client = Arc::new(Client::connect(config, &config.login).await?);
    migrate::check(&client).await?;
    let admin = match &config.admin {
        Some(login) => Arc::new(Client::connect(config, login).await?),
        None => Arc::clone(&client),
    };
    let ring = match &config.keys_login {
        Some(login) => Arc::new(Client::connect(config, login).await?),
        None => Arc::clone(&client),
    };
    let keys = Arc::new(CqlKeys::open(config, ring).await?);
    let generations = CqlGenerations::open(client, admin).await?;
    let carrier = CqlCarrier::new(Arc::clone(&keys), generations.once());
    Ok(Cql { generations, keys, carrier })
}

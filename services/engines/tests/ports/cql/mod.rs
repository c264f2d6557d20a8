//! The contracts of store, generations and keyring on real CQL servers, and what only that engine must do.

mod keys;
mod schema;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::ManualClock;
use engines::cql::{Config, Cql, Login, migrate, open};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::harness::NOW;
use crate::servers::{engines, fresh_name};

/// A keyspace that no other test has; opened keys are forgotten soon.
pub(super) fn config(folder: &Path, what: &str) -> Config {
    let servers = engines().cql.expect("the file names a database");
    let tls = [servers.ca, servers.certificate, servers.key];
    let password = std::fs::read_to_string(servers.password_file).unwrap();
    let mut config = Config::new(servers.nodes, tls, Login::new(servers.user, password), folder.join("kek"));
    config.replication = servers.replication;
    config.keyspace = fresh_name(what);
    config.key_cache = Duration::from_secs(1);
    config.clock = Arc::new(ManualClock::at(NOW));
    config
}

pub(super) async fn fresh(folder: &Path, what: &str) -> (Cql, Config, Dropped) {
    let config = config(folder, what);
    let dropped = Dropped(config.clone());
    migrate(&config).await.unwrap();
    (open(&config).await.unwrap(), config, dropped)
}

/// Drops the keyspaces of a test behind it, or the servers would run out of memory after some hundred tables.
pub(super) struct Dropped(pub(super) Config);

impl Drop for Dropped {
    fn drop(&mut self) {
        let config = self.0.clone();
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let session = behind(&config).await;
                for keyspace in ["", "_keys", "_erasures"].map(|part| format!("{}{part}", config.keyspace)) {
                    drop(session.query_unpaged(format!("DROP KEYSPACE IF EXISTS {keyspace}"), ()).await);
                }
                let made = config.admin.is_some().then_some([Some(&config.login), config.keys_login.as_ref()]);
                for role in made.into_iter().flatten().flatten() {
                    drop(session.query_unpaged(format!("DROP ROLE IF EXISTS '{}'", role.user), ()).await);
                }
            });
        });
        drop(ended.join());
    }
}

/// A session beside the engine's, to look at rows and to change them behind its back.
pub(super) async fn behind(config: &Config) -> Session {
    use openssl::ssl::{SslConnector, SslFiletype, SslMethod};
    let mut tls = SslConnector::builder(SslMethod::tls_client()).unwrap();
    tls.set_ca_file(&config.ca).unwrap();
    tls.set_certificate_chain_file(&config.certificate).unwrap();
    tls.set_private_key_file(&config.key, SslFiletype::PEM).unwrap();
    let login = config.admin.as_ref().unwrap_or(&config.login);
    let builder = SessionBuilder::new().known_nodes(&config.nodes).user(&login.user, &login.password);
    builder.tls_context(Some(tls)).build().await.unwrap()
}

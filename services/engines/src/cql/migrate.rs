//! Migrations: numbered files, applied once each and in order; the table `migration` tells which.
//!
//! Expand and contract: a migration adds; what is no longer used is taken away by a later release, when no program that reads it
//! runs any more. So a program opens a schema that is newer than itself, and refuses one that is older.

use std::collections::BTreeMap;
use std::sync::Arc;

use chassis::crypto::sha256;

use super::client::{Client, Use, took_effect};
use super::error::{CqlError, schema_error};
use super::lease::{Lease, statements};
use super::statements::{roles, schema};
use super::store::make_live_generation;
use super::{Config, Login};

const GROUND: &str = include_str!("../../../../schemas/cql/000-ground.cql");

/// Number and text.
pub(super) const MIGRATIONS: [(i32, &str); 2] = [
    (1, include_str!("../../../../schemas/cql/001-tables.cql")),
    (2, include_str!("../../../../schemas/cql/002-keys.cql")),
];

/// Makes the keyspaces, applies what is missing, makes the tables of the generation that serves, and (with an admin's login of its own) the roles of the
/// application. Safe to run again, and beside another run once the keyspaces exist; the very first one should be alone.
pub async fn migrate(config: &Config) -> Result<(), CqlError> {
    config.check()?;
    let admin = Arc::new(Client::connect(config, config.admin.as_ref().unwrap_or(&config.login)).await?);
    let replication = config.replication.to_string();
    let names = [("${keyspace}", config.keyspace.as_str()), ("${replication}", replication.as_str())];
    for statement in statements(GROUND, &names) {
        admin.change_schema(&statement).await.map_err(|e| schema_error(&e))?;
    }
    let lease = Lease::take(&admin).await?;
    let done = apply_missing(&admin, &lease, &names).await;
    let done = match done {
        Ok(()) => make_roles(config, &lease).await,
        failed => failed,
    };
    lease.end().await?;
    done?;
    make_live_generation(&admin).await
}

async fn apply_missing(client: &Arc<Client>, lease: &Lease, names: &[(&str, &str)]) -> Result<(), CqlError> {
    let applied = applied(client).await?;
    if let Some((number, _)) = applied.iter().find(|(n, _)| MIGRATIONS.iter().all(|(known, _)| known != *n)) {
        return Err(CqlError::NewerSchema { keyspace: client.keyspace.clone(), number: *number });
    }
    let migrated = client.prepare(schema::MIGRATED, "", Use::Decide).await?;
    for (number, text) in MIGRATIONS {
        let hash = sha256(text.as_bytes());
        match applied.get(&number) {
            Some(known) if known[..] == hash => continue,
            Some(_) => return Err(CqlError::ChangedMigration { keyspace: client.keyspace.clone(), number }),
            None => {}
        }
        for statement in statements(text, names) {
            lease.run(&statement).await?;
        }
        took_effect(client.execute(&migrated, (number, &hash[..])).await?)?;
        tracing::info!(number, "a migration of the CQL schema was applied");
    }
    Ok(())
}

async fn applied(client: &Client) -> Result<BTreeMap<i32, Vec<u8>>, CqlError> {
    let read = client.prepare(schema::MIGRATIONS, "", Use::Read).await?;
    Ok(client.rows::<(i32, Vec<u8>)>(&read, ()).await?.into_iter().collect())
}

/// Refuses a schema that lacks what this program knows.
pub(super) async fn check(client: &Client) -> Result<(), CqlError> {
    let keyspace = client.keyspace.clone();
    let applied = match applied(client).await {
        Ok(applied) => applied,
        // A table that is not there is refused when the statement is prepared.
        Err(CqlError::Request(failure)) if !failure.may_pass => {
            return Err(CqlError::OldSchema { keyspace, what: failure.to_string() });
        }
        Err(error) => return Err(error),
    };
    for (number, text) in MIGRATIONS {
        match applied.get(&number) {
            None => return Err(CqlError::OldSchema { keyspace, what: format!("migration {number} is missing") }),
            Some(hash) if hash[..] != sha256(text.as_bytes()) => {
                return Err(CqlError::ChangedMigration { keyspace, number });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The application's role may read and write rows, and neither make, change nor drop a table. MODIFY includes DELETE: there is
/// no smaller grant.
async fn make_roles(config: &Config, lease: &Lease) -> Result<(), CqlError> {
    if config.admin.is_none() {
        return Ok(());
    }
    let ks = &config.keyspace;
    let keys = config.keys_login.as_ref().unwrap_or(&config.login);
    make_role(lease, &config.login, std::slice::from_ref(ks)).await?;
    make_role(lease, keys, &[format!("{ks}_keys"), format!("{ks}_erasures")]).await
}

async fn make_role(lease: &Lease, login: &Login, keyspaces: &[String]) -> Result<(), CqlError> {
    let quoted = |text: &str| text.replace('\'', "''");
    let role = |text: &str| text.replace("${role}", &quoted(&login.user));
    lease
        .run(&role(roles::ROLE).replace("${password}", &quoted(&login.password)))
        .await
        // The server's words may hold the statement, and this one holds a password.
        .map_err(|_| CqlError::Schema(format!("role `{}` could not be made", login.user)))?;
    for keyspace in keyspaces {
        for grant in [roles::READS, roles::WRITES] {
            lease.run(&role(grant).replace("${keyspace}", keyspace)).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_applied_and_uses_what_both_servers_know() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/cql");
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let numbered = names.iter().filter_map(|n| n[..3].parse::<i32>().ok()).filter(|n| *n > 0);
        assert!(numbered.eq(MIGRATIONS.iter().map(|(number, _)| *number)), "{names:?}");
        for name in names {
            let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
            for statement in statements(&text, &[]) {
                let words =
                    ["CREATE KEYSPACE IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS", "ALTER TABLE", "INSERT INTO"];
                assert!(words.iter().any(|w| statement.starts_with(w)), "{name}: {statement}");
                assert!(
                    !statement.starts_with("INSERT") || statement.ends_with("IF NOT EXISTS"),
                    "{name}: {statement}"
                );
            }
        }
    }
}

//! Every CQL statement that the program sends, apart from the files in `schemas/cql`. Cassandra 5 and ScyllaDB both know all of it.
//!
//! No ALLOW FILTERING, no secondary index, no materialized view, no counters. DELETE stands only where something expires or is
//! erased. Paxos (`IF`) only where two processes must agree: keys, `once`, generations, the lease of the schema.

/// Statements on the tables of a generation; `${table}` is one of them.
pub(crate) mod rows {
    pub(crate) const WRITE: &str = "INSERT INTO ${table} (pk, kind, key, value) VALUES (?, ?, ?, ?) USING TIMESTAMP ?";
    pub(crate) const READ: &str = "SELECT value FROM ${table} WHERE pk = ? AND kind = ? AND key = ?";
    pub(crate) const FROM: &str = "SELECT key, value FROM ${table} WHERE pk = ? AND kind = ? AND key >= ? LIMIT ?";
    pub(crate) const FROM_TO: &str =
        "SELECT key, value FROM ${table} WHERE pk = ? AND kind = ? AND key >= ? AND key < ? LIMIT ?";
    pub(crate) const AFTER: &str = "SELECT key, value FROM ${table} WHERE pk = ? AND kind = ? AND key > ? LIMIT ?";
    pub(crate) const BACK: &str =
        "SELECT key, value FROM ${table} WHERE pk = ? AND kind = ? ORDER BY kind DESC, key DESC LIMIT ?";
    pub(crate) const BACK_FROM: &str =
        "SELECT key, value FROM ${table} WHERE pk = ? AND kind = ? AND key < ? ORDER BY kind DESC, key DESC LIMIT ?";
    /// Partitions in the order of their tokens, for tables that hold several kinds.
    pub(crate) const PARTITIONS: &str = "SELECT DISTINCT pk FROM ${table} LIMIT ?";
    pub(crate) const PARTITIONS_AFTER: &str = "SELECT DISTINCT pk FROM ${table} WHERE token(pk) > token(?) LIMIT ?";
    /// All rows in the order of their partitions' tokens, for tables of one kind.
    pub(crate) const ALL: &str = "SELECT pk, key, value FROM ${table} LIMIT ?";
    pub(crate) const ALL_AFTER: &str = "SELECT pk, key, value FROM ${table} WHERE token(pk) > token(?) LIMIT ?";
    /// Erasure and expiry.
    pub(crate) const DROP: &str = "DELETE FROM ${table} USING TIMESTAMP ? WHERE pk = ?";
    pub(crate) const DROP_KIND: &str = "DELETE FROM ${table} USING TIMESTAMP ? WHERE pk = ? AND kind = ?";
}

/// Keys that may be used one time.
pub(crate) mod once {
    pub(crate) const TAKE: &str =
        "INSERT INTO ${keyspace}.once (key, until, owner) VALUES (?, ?, ?) IF NOT EXISTS USING TTL ?";
    pub(crate) const TAKE_OVER: &str =
        "UPDATE ${keyspace}.once USING TTL ? SET until = ?, owner = ? WHERE key = ? IF until = ?";
    pub(crate) const READ: &str = "SELECT until, owner FROM ${keyspace}.once WHERE key = ?";
    pub(crate) const ALL: &str = "SELECT key, until FROM ${keyspace}.once";
}

/// Generations, migrations and who may change the schema.
pub(crate) mod schema {
    pub(crate) const LIVE: &str = "SELECT id FROM ${keyspace}.live WHERE one = 0";
    pub(crate) const SWITCH: &str = "UPDATE ${keyspace}.live SET id = ? WHERE one = 0 IF id = ?";
    pub(crate) const GENERATION: &str = "SELECT state FROM ${keyspace}.generation WHERE id = ?";
    pub(crate) const GENERATIONS: &str = "SELECT id, state FROM ${keyspace}.generation";
    pub(crate) const GENERATION_MADE: &str =
        "INSERT INTO ${keyspace}.generation (id, state) VALUES (?, 'made') IF NOT EXISTS";
    pub(crate) const GENERATION_STATE: &str = "UPDATE ${keyspace}.generation SET state = ? WHERE id = ? IF state = ?";
    pub(crate) const MIGRATIONS: &str = "SELECT number, hash FROM ${keyspace}.migration";
    pub(crate) const MIGRATED: &str = "INSERT INTO ${keyspace}.migration (number, hash) VALUES (?, ?) IF NOT EXISTS";
    pub(crate) const LEASE_TAKE: &str =
        "UPDATE ${keyspace}.lease USING TTL 120 SET owner = ? WHERE name = 'schema' IF owner = null";
    pub(crate) const LEASE_KEEP: &str =
        "UPDATE ${keyspace}.lease USING TTL 120 SET owner = ? WHERE name = 'schema' IF owner = ?";
    pub(crate) const LEASE_END: &str = "UPDATE ${keyspace}.lease SET owner = null WHERE name = 'schema' IF owner = ?";
    pub(crate) const DROP_TABLE: &str = "DROP TABLE IF EXISTS ${table}";
}

/// The keyring and its journal of erasures.
pub(crate) mod keys {
    pub(crate) const READ: &str = "SELECT kind, year, wrapped, status FROM ${keyspace}_keys.key WHERE subject = ?";
    /// Subjects in the order of their tokens, for `kiroku copy`.
    pub(crate) const ALL: &str = "SELECT subject, kind, year, wrapped FROM ${keyspace}_keys.key LIMIT ?";
    pub(crate) const ALL_AFTER: &str =
        "SELECT subject, kind, year, wrapped FROM ${keyspace}_keys.key WHERE token(subject) > token(?) LIMIT ?";
    pub(crate) const STATUS: &str = "UPDATE ${keyspace}_keys.key SET status = ? WHERE subject = ? IF status = ?";
    pub(crate) const STATUS_FIRST: &str =
        "UPDATE ${keyspace}_keys.key SET status = ? WHERE subject = ? IF status = null";
    pub(crate) const ADD: &str = "INSERT INTO ${keyspace}_keys.key (subject, kind, year, wrapped) VALUES (?, ?, ?, ?)";
    pub(crate) const ADD_NEW: &str =
        "INSERT INTO ${keyspace}_keys.key (subject, kind, year, wrapped) VALUES (?, ?, ?, ?) IF NOT EXISTS";
    /// Erasure.
    pub(crate) const REMOVE: &str = "DELETE FROM ${keyspace}_keys.key WHERE subject = ? AND kind = ? AND year = ?";
    pub(crate) const MARK: &str = "INSERT INTO ${keyspace}_erasures.erasure (mark, at) VALUES (?, ?)";
    pub(crate) const MARKED: &str = "SELECT mark FROM ${keyspace}_erasures.erasure WHERE mark = ?";
}

/// Roles; run by the admin's login only, and only where it differs from the application's.
pub(crate) mod roles {
    pub(crate) const ROLE: &str = "CREATE ROLE IF NOT EXISTS '${role}' WITH PASSWORD = '${password}' AND LOGIN = true";
    pub(crate) const READS: &str = "GRANT SELECT ON KEYSPACE ${keyspace} TO '${role}'";
    pub(crate) const WRITES: &str = "GRANT MODIFY ON KEYSPACE ${keyspace} TO '${role}'";
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_both_servers_know_is_used_and_deletes_are_for_erasure_and_expiry() {
        let text = include_str!("statements.rs");
        let statements = text.split("#[cfg(test)]").next().unwrap();
        let statements: Vec<&str> = statements.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        let all = statements.join("\n");
        for word in ["FILTERING", "INDEX ", "MATERIALIZED", "TRUNCATE", "COUNTER", "IN (", "GROUP BY", "LOGGED"] {
            assert!(!all.to_uppercase().contains(word), "{word}");
        }
        assert_eq!(all.matches("DELETE").count(), 3, "a year or a person's rows dropped (two forms), a key destroyed");
        let rows = all.split("mod rows {").nth(1).unwrap().split("\n}").next().unwrap();
        assert!(!rows.contains(" IF "), "a Paxos statement may carry no time of ours");
        assert_eq!(rows.matches("USING TIMESTAMP ?").count(), 3, "each write of rows carries the log's position");
    }
}

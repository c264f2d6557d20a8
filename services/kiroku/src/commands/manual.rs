//! The long texts of `kiroku help`: what a command does, by example.

pub(crate) const MAIN: &str = "A national health record: no byte about a person leaves before a durable entry says who looked and why it was allowed.

First steps:
  kiroku demo --data kiroku-demo                  tell the story on a fresh folder and keep serving
  kiroku load --demo kiroku-demo PATH...          send FHIR files to that server, as a client of it
  kiroku serve --data DIR                         serve a folder (made if absent) at http://127.0.0.1:8080
  kiroku registry apply FILE --data DIR           say who exists and may ask for what (no server running)
  kiroku check --data DIR                         test log and tables against one another
  kiroku backup --data DIR --to DIR2              copy what cannot be made again
  kiroku help COMMAND                             the whole of one command, with examples

Settings come from defaults, then a TOML file (--config), then the environment (KIROKU__HTTP__LISTEN=...), then flags (--set); \
`kiroku settings` prints them all.

Exit codes: 0 done as asked; 1 not done, or something was found (the reason stands on stderr); 2 the command line was wrong.";

pub(crate) const REGISTRY: &str = "Facilities, professionals, clients and their keys, cards, cases: who exists and may ask for what.

Writes to the log of a data folder; no server may run on it. What is written is in force for every request after the next start. \
Entries are replaced as a whole by a later entry of the same id, and never removed: set their status instead.

Examples:
  kiroku registry organisation add 1310000001 --name 'Example Hospital' --type hospital --data DIR
  kiroku registry professional add physician-1 --name 'Dr Example' --profession physician --role 1310000001=physician --data DIR
  kiroku registry client new-key hospital-system --organisation 1310000001 --out hospital.key
  kiroku registry client add hospital-system --organisation 1310000001 --jwks-file hospital.key.jwks \\
      --right records.write --right records.read --responsible physician-1 --data DIR
  kiroku registry professional status physician-1 revoked --data DIR
  kiroku registry case open --official official-1 --official official-2 --person PID --until 2026-12-01 --data DIR
  kiroku registry client list --json --data DIR

Exit codes: 0 written or shown; 1 refused, with the reason (unknown id, key that does not read, folder in use).";

pub(crate) const LOAD: &str = "Send FHIR records to a server: Bundles (transaction, batch, document, collection), single resources, NDJSON, \
.gz and .tar.gz of these, folders.

Whatever concerns commons alone (organisations, professionals, places) is sent first, then single Patients, then the rest, \
four at a time (--jobs). A request that meets a lost connection or a busy server is repeated under the same Idempotency-Key, \
so nothing is written twice, also not when the whole command is run again.

A record of a person who is not registered is kept in quarantine and counted as such. --register-persons registers the persons met \
by `POST /fhir/Patient` first; the client needs the right persons.register.

Examples:
  kiroku load --url http://127.0.0.1:8080 --client hospital.key --register-persons synthea.tar.gz
  kiroku load --demo DIR --register-persons PATH...      server and client of `kiroku demo --data DIR`, while it serves
  kiroku load --data DIR --organisation 1310000001 --register-persons records/   no server running: starts one inside
  kiroku load --batch 50 history.ndjson                  resources of one person in transactions of 50

Exit codes: 0 all accepted; 1 something was refused or quarantined (listed with path and rule on stderr), unless --tolerate; \
1 as well where the server cannot be reached.";

pub(crate) const CHECK: &str = "Test a data folder: every byte of the log, the tables against the log, the access lists, and whether today's \
rules would decide as was decided.

  1 log        every checksum, offset, time, count and the hash chain over all commits
  2 counts     what was applied to the tables, against what the log holds
  3 tables     a second set of tables is built from the log and compared with the one that serves, row by row, opened
  4 lists      numbers, chains and bodies of the access lists, against the log
  5 decisions  every submission is decided again; a different outcome is told as a note, for a corrected rule does not change the past

Changes nothing (a second set of tables is removed at the end). No server may run on the folder. --quick does 1 and 2 only. Rows of \
persons whose keys were destroyed are counted as erased. What a crash took from the tables and the next start replays is told as a note.

Exit codes: 0 in order; 1 something is wrong: each finding is a sentence with its place. Damaged tables: `kiroku rebuild`. A damaged \
log: restore a backup.";

pub(crate) const REBUILD: &str = "Build the tables again from the log beside the old ones, compare, switch, remove the old ones.

Decides nothing: the outcomes stand in the log. An interrupted rebuild leaves the old tables serving, and its leftovers are removed by the \
next one. If a new table holds fewer rows than the old one and nobody was erased, the command stops before the switch (--force goes on).

Example:
  kiroku rebuild --data DIR

Exit codes: 0 the new tables serve; 1 not done, the old ones serve.";

pub(crate) const BACKUP: &str = "Copy log, keyring and used-once keys of a data folder to an empty folder; never the tables, which are made again \
from the log.

No server may run on the folder. The erasure journal (DIR.erasures, or the setting erasure_journal) is not part of a backup: keep it \
elsewhere, always the newest, for `kiroku restore` does not open without it. The key-encryption key is copied where it lies in the \
data folder, unless --without-kek; a key that the setting key_encryption_key_file names is never copied: keep it apart.

Example:
  kiroku backup --data DIR --to /backup/2026-11-21

Exit codes: 0 copied and durable; 1 not done.";

pub(crate) const COPY: &str = "Copy a whole system: from a data folder to Kafka and CQL and back, from one cluster to another, from one number \
of partitions to another.

  1 keys      every key, wrapped anew under the target's key-encryption key; used-once keys; erasures
  2 log       every record in the order of its shard, under the time that it has; with other partitions outcomes name the new places
  3 compare   the copy is read back: count and sum of each topic must be the source's
  4 tables    built anew from the copied log, then opened and compared with the source's, row by row

Nothing may run on the source, and the target must be empty. Copied topics take the broker's time only when all is done; until then no \
process opens them. After a failure remove the target (folder; topics and keyspaces) and start again: the source is not changed.

Examples:
  kiroku copy --data DIR --to cluster.toml                               out of the first machine
  kiroku --config cluster.toml copy --to-set data=DIR                    back into a folder, as a backup of a cluster is one
  kiroku --config cluster.toml copy --to cluster2.toml --to-set partitions=256

Exit codes: 0 the copy holds the same as its source; 1 not done.";

pub(crate) const RESTORE: &str = "Make a data folder out of a backup, with the newest erasure journal; then build the tables.

The journal destroys again the keys of whoever was erased after the backup was made. It must continue the journal as it was at the backup; \
an older one, or one of another installation, is refused. Nothing appears under --data before all is copied and tested.

Example:
  kiroku restore --from /backup/2026-11-21 --data DIR --erasure-journal DIR.erasures

Exit codes: 0 the folder can be served; 1 not done.";

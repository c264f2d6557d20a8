//! The persons of a seed: born in the log before anybody runs. The link of the last one is in doubt, so that the two versions of
//! the rules decide differently about her records.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use chassis::envelope;
use chassis::ports::keys::Keys;
use chassis::ports::log::{Append, Log};
use schemas::header::Bucket;
use schemas::submission::{Author, Command, IdentifierHash, IdentityEvent, IdentityRecord, Submission};
use schemas::vocab::{LinkState, Topic};
use schemas::{LocalId, Pid, Purpose, ResourceId, SubmissionId, codec};

use crate::ground::Ground;
use crate::world::World;

const PERSONS: usize = 2;

pub(crate) struct Person {
    pub(crate) pid: Pid,
    local: LocalId,
    identifier: IdentifierHash,
    pub(crate) in_doubt: bool,
}

impl Person {
    /// Id of her Patient.
    pub(crate) fn patient(&self) -> ResourceId {
        ResourceId { pid: self.pid, local: self.local }
    }
}

/// Registry, births and links, as they stand in the log at the start.
pub(crate) async fn prepare(world: &Arc<World>) -> Result<Vec<Person>> {
    let authority = crate::tables::platform_key(chassis::ports::keys::PlatformKey::Authority).await?;
    for event in &Ground::shared().events {
        let value = Bytes::from(chassis::crypto::seal(&authority, b"authority", &codec::encode(event)));
        world.log.append(Append { topic: Topic::Authority, shard: 0, value }).await?;
    }
    for pid in [Pid::COMMONS, Pid::QUARANTINE] {
        world.keys.create_person(pid).await?;
    }
    let mut persons = Vec::new();
    for number in 0..PERSONS {
        let person = Person {
            pid: Pid(world.dice.bytes()),
            local: LocalId(world.dice.bytes()),
            identifier: IdentifierHash(world.dice.bytes()),
            in_doubt: number + 1 == PERSONS,
        };
        bear(world, &person).await?;
        persons.push(person);
    }
    Ok(persons)
}

async fn bear(world: &World, person: &Person) -> Result<()> {
    let Person { pid, local, identifier, .. } = *person;
    world.keys.create_person(pid).await?;
    let birth = IdentityRecord {
        submission: SubmissionId(world.dice.bytes()),
        client: "insurer".into(),
        event: IdentityEvent::Birth { pid, identifiers: vec![identifier], patient: local },
        reply_to: None,
    };
    let value = Bytes::from(codec::encode(&birth));
    world.log.append(Append { topic: Topic::Identity, shard: 0, value }).await?;
    submit(world, pid, Command::Born { birth_date: "1950-01-01".to_owned() }).await?;
    if person.in_doubt {
        submit(world, pid, Command::SetLink { link: LinkState::Suspect, kind: "attributes".to_owned() }).await?;
    }
    Ok(())
}

async fn submit(world: &World, pid: Pid, command: Command) -> Result<()> {
    let author = Author {
        client: "insurer".into(),
        organisation: "insurer".into(),
        practitioner: None,
        purpose: Purpose::Recordmgt,
        is_person: false,
    };
    let submission = Submission {
        id: SubmissionId(world.dice.bytes()),
        pid,
        author,
        policy_revision: "8".to_owned(),
        request_hash: [0; 32],
        command,
        trace: None,
    };
    let bucket = Bucket::Year(2026);
    let key = world.keys.record_key(pid, bucket).await?;
    world.log.append(envelope::seal_submission(&key, bucket, &submission, 0)).await?;
    Ok(())
}

//! The registry follows topic `authority`.

use std::sync::Arc;

use bytes::Bytes;
use chassis::clock::Clock;
use chassis::ports::log::{Append, Log};
use chassis::registry::{Registry, RegistryError};
use schemas::authority::{AuthorityEvent, Professional, Status};
use schemas::vocab::Topic;

use crate::world::{HOSPITAL, World, physician};

async fn reopen(world: &World) -> Result<Arc<Registry>, RegistryError> {
    Registry::open(world.log.clone(), world.keys.clone(), Arc::new(world.clock.clone())).await
}

#[tokio::test]
async fn a_registry_opened_again_says_the_same() {
    let world = World::new().await;
    world.register(AuthorityEvent::PolicyRevision { revision: 7, sha256: "ab".into() }).await;
    let again = reopen(&world).await.unwrap();
    let (a, b) = (world.registry.state(), again.state());
    assert_eq!(a.position(), b.position());
    assert_eq!(b.organisation(&HOSPITAL.into()).unwrap().name, "Chuo Hospital");
    assert_eq!(b.professional(&"dr-1".into()), a.professional(&"dr-1".into()));
    assert_eq!((b.policy(), b.clients().count(), b.professionals().count()), (Some((7, "ab")), 1, 2));
}

#[tokio::test]
async fn what_one_node_appends_another_follows() {
    let world = World::new().await;
    let other = reopen(&world).await.unwrap();
    let event = AuthorityEvent::Professional(Professional { status: Status::Revoked, ..physician() });
    let place = world.registry.append(event).await.unwrap();
    while other.state().next_offset() <= place.offset {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.state().professional(&"dr-1".into()).unwrap().status, Status::Revoked);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_state_young_and_leaves_the_revision_for_caches_alone() {
    let world = World::new().await;
    assert!(world.registry.is_stale(), "no heartbeat was ever seen");
    let position = world.registry.state().position();
    world.register(AuthorityEvent::Heartbeat).await;
    let state = world.registry.state();
    assert_eq!((state.last_heartbeat(), state.position()), (world.clock.now(), position));
    world.clock.advance(60_000);
    assert!(!world.registry.is_stale());
    world.clock.advance(1);
    assert!(world.registry.is_stale());
    world.register(AuthorityEvent::Professional(physician())).await;
    assert!(world.registry.is_stale(), "another event is no heartbeat");
    assert!(world.registry.state().position() > position);
}

#[tokio::test]
async fn the_owner_writes_heartbeats() {
    let world = World::new().await;
    let task = world.registry.start_heartbeat();
    while world.registry.is_stale() {
        tokio::task::yield_now().await;
    }
    task.abort();
    assert_eq!(world.registry.state().last_heartbeat(), world.clock.now());
}

#[tokio::test]
async fn a_damaged_record_is_said_at_the_start_and_makes_a_running_node_stale() {
    let world = World::new().await;
    world.register(AuthorityEvent::Heartbeat).await;
    assert!(!world.registry.is_stale());
    let value = Bytes::from_static(b"not sealed by us, long enough to look like it");
    let damaged = world.log.append(Append { topic: Topic::Authority, shard: 0, value }).await.unwrap();
    while !world.registry.is_stale() {
        tokio::task::yield_now().await;
    }
    assert!(world.registry.state().professional(&"dr-1".into()).is_some());
    let refused = world.registry.append(AuthorityEvent::Heartbeat).await;
    assert!(matches!(refused, Err(RegistryError::NotFollowed)));
    match reopen(&world).await {
        Err(RegistryError::Unreadable { offset }) => assert_eq!(offset, damaged.offset),
        _ => panic!("the damage was not said"),
    }
}

#[tokio::test]
async fn a_read_that_fails_is_tried_again_and_a_closed_log_makes_the_state_old() {
    let world = World::new().await;
    world.register(AuthorityEvent::Heartbeat).await;
    world.log.fail_next_read(1);
    let revoked = AuthorityEvent::Professional(Professional { status: Status::Revoked, ..physician() });
    world.register(revoked).await;
    assert_eq!(world.registry.state().professional(&"dr-1".into()).unwrap().status, Status::Revoked);
    assert!(!world.registry.is_stale());
    world.log.fail_next_append(1);
    assert!(matches!(world.registry.append(AuthorityEvent::Heartbeat).await, Err(RegistryError::Log(_))));
    world.log.close();
    while !world.registry.is_stale() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn ten_thousand_events_replay_and_nothing_of_them_stands_in_the_log_in_plain() {
    let world = World::new().await;
    let events: Vec<_> = (0..10_000)
        .map(|n| AuthorityEvent::Professional(Professional { id: format!("dr-{n}").as_str().into(), ..physician() }))
        .collect();
    world.registry.append_all(events).await.unwrap();
    let again = reopen(&world).await.unwrap();
    assert_eq!(again.state().professionals().count(), 10_001); // and the clerk
    let records = world.log.read(Topic::Authority, 0, 0, 100).await.unwrap();
    let name = b"Ito Hanako";
    assert!(records.iter().all(|r| !r.value.windows(name.len()).any(|w| w == name)));
}

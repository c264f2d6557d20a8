//! How fast entries are numbered. The floor is asked of release builds only.

use std::sync::Arc;
use std::time::Instant;

use chassis::ledger::{Ledger, Wanted};
use chassis::ports::keys::Keys;
use chassis::twins::MemoryStore;
use ledger::replay_lists;
use schemas::Pid;

use crate::world::{World, access};

#[actix_web::test]
async fn twenty_thousand_entries_a_second_are_numbered() {
    let mut world = World::new().await;
    world.handle.stop().await;
    let pids: Vec<Pid> = (0..200).map(|_| Pid::random()).collect();
    for pid in &pids {
        world.keys.create_person(*pid).await.unwrap();
    }
    let entries = 20_000;
    for some in (0..entries).collect::<Vec<usize>>().chunks(1000) {
        let wanted = some.iter().map(|n| Wanted { access: access(pids[n % pids.len()]), closed: Vec::new() });
        world.ledger.append_all(wanted.collect()).await.unwrap();
    }
    let began = Instant::now();
    let read = replay_lists(&world.list_deps(), Arc::new(MemoryStore::new()), &mut |_| {}).await.unwrap();
    let rate = read as f64 / began.elapsed().as_secs_f64();
    assert_eq!(read, entries as u64);
    #[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests with --nocapture")]
    {
        println!("numbered {rate:.0} entries/s");
    }
    assert!(cfg!(debug_assertions) || rate > 20_000.0, "{rate:.0}/s");
}

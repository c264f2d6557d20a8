//! The engine's own threads.

/// How many. The first of them never merges tables and puts each message to do so back, without a pause, until another takes
/// it; a flush sends as many messages as there are workers (fjall 3.1, `worker_tick`). With two, one message went round for as long as
/// a merge lasted. With one, a merge would hold up the change of full memtables.
pub(crate) const COUNT: usize = 3;
/// How the engine calls them.
const WORKER: &str = "fjall:worker";
/// A tenth of what a request's thread gets where both want the same core.
const WORKER_NICENESS: i32 = 10;

/// Lets requests go before them: a flush takes a core for some tenths of a second, and on a busy machine of few
/// cores everybody would wait for as long. Where it falls behind, writers wait for it and leave it the cores.
/// Not at once after the engine was opened: its threads take their names when they run for the first time.
pub(crate) fn stand_back() {
    let lower = |task: std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let id = task.file_name().to_str()?.parse().ok()?;
        let worker = rustix::process::Pid::from_raw(id).filter(|_| name.trim_end() == WORKER)?;
        rustix::process::setpriority_process(Some(worker), WORKER_NICENESS).ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    if tasks.filter_map(lower).count() == 0 {
        tracing::warn!("the workers of the tables' engine keep the priority of requests");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::embedded::disk::RealDisk;
    use crate::embedded::store::{EmbeddedStore, Once, StoreConfig};

    #[test]
    fn the_workers_of_an_open_store_stand_back_and_no_other_thread() {
        let folder = tempfile::tempdir().unwrap();
        let once = Once::open(&folder.path().join("once"), 0, Arc::new(RealDisk)).unwrap();
        let tables = folder.path().join("tables");
        let _store = EmbeddedStore::open(&tables, StoreConfig::default(), Arc::new(once)).unwrap();
        let started = std::time::Instant::now();
        while count_of_lowered() < COUNT {
            assert!(started.elapsed().as_secs() < 20, "all workers are lowered soon after they run");
            std::thread::yield_now();
        }
    }

    fn count_of_lowered() -> usize {
        let niceness = |task: &std::path::Path| {
            let stat = std::fs::read_to_string(task.join("stat")).ok()?;
            // The name stands in parentheses; niceness is the 19th value (proc(5)), the 17th after it.
            stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse::<i32>().ok()
        };
        let mut workers = 0;
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let Ok(name) = std::fs::read_to_string(task.path().join("comm")) else { continue };
            let Some(niceness) = niceness(&task.path()) else { continue };
            assert!(niceness < WORKER_NICENESS || name.trim_end() == WORKER, "{name} was lowered too");
            workers += usize::from(niceness >= WORKER_NICENESS);
        }
        workers
    }
}

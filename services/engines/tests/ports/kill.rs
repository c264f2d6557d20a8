//! `kill -9` of a process that appends: all that it said was acknowledged is there, whole, once.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use chassis::ports::log::Log;
use schemas::vocab::Topic;

use crate::harness::{Dice, open_log, read_all, record};

const CHILD: &str = "KIROKU_KILL_FOLDER";

/// The process to be killed: this test binary, started again.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let log = std::sync::Arc::new(open_log(folder.as_ref()).unwrap());
        (0..8u16).for_each(|n| {
            let log = log.clone();
            drop(tokio::spawn(async move {
                let mut dice = Dice::new(u64::from(n) + 1);
                loop {
                    let length = 8 + dice.below(1500);
                    let value = dice.bytes(length);
                    let sum = crc32c::crc32c(&value);
                    let appended = log.append(record(Topic::Access, n * 512, &value)).await;
                    // The parent sees the end of the output and fails.
                    let place = appended.unwrap_or_else(|_| std::process::exit(3));
                    let line = format!("\nack {} {} {sum}\n", place.partition, place.offset);
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            }));
        });
        std::future::pending::<()>().await;
    });
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(51);
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = acknowledged.len() + 200 + dice.below(800);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut killed = false;
        while let Some(Ok(line)) = lines.next() {
            let numbers: Option<Vec<u64>> =
                line.strip_prefix("ack ").map(|l| l.split(' ').flat_map(str::parse).collect());
            if let Some([partition, offset, sum]) = numbers.as_deref() {
                acknowledged.push((u16::try_from(*partition).unwrap(), *offset, *sum));
            }
            if !killed && acknowledged.len() >= until {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "round {round}: the child ended by itself");
        let log = open_log(folder.path()).unwrap();
        log.scrub().unwrap();
        let mut all = Vec::new();
        for partition in 0..3 {
            all.push(read_all(&log, Topic::Access, partition).await.unwrap());
        }
        for (partition, offset, sum) in &acknowledged {
            let found = &all[usize::from(*partition)][usize::try_from(*offset).unwrap()];
            assert_eq!(u64::from(crc32c::crc32c(&found.value)), *sum, "round {round}: {partition}/{offset}");
        }
    }
}

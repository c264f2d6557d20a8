//! Flipped bytes and torn ends of copied data folders.

use std::os::unix::fs::FileExt;
use std::path::Path;

use chassis::ports::log::Log;
use engines::embedded::EngineError;
use schemas::vocab::Topic;

use crate::harness::{Dice, copy_folder, open_log, read_all, record};

/// Something done to a folder.
type Damage = fn(&Path);

/// Bytes that no record or commit occupies are zeros.
fn used(path: &Path) -> usize {
    let bytes = std::fs::read(path).unwrap();
    bytes.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1)
}

fn flip(path: &Path, at: usize, bit: usize) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << bit)], at as u64).unwrap();
}

/// A log of several segments; the values tell their place.
async fn filled(folder: &Path) -> u64 {
    let log = open_log(folder).unwrap();
    let mut dice = Dice::new(11);
    for n in 0..300u64 {
        let mut value = n.to_le_bytes().to_vec();
        let length = dice.below(900);
        value.extend(dice.bytes(length));
        log.append(record(Topic::Person, 0, &value)).await.unwrap();
    }
    let segments = log.scrub().unwrap().segments;
    assert!(segments > 3, "{segments}");
    log.close();
    300
}

#[tokio::test]
async fn a_flipped_byte_in_the_last_segment_is_found_at_start() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let mut dice = Dice::new(21);
    for round in 0..60 {
        let copy = folder.path().join(format!("copy{round}"));
        copy_folder(&folder.path().join("log"), &copy.join("log"));
        let segment = last_segment(&copy);
        let (at, bit) = (dice.below(used(&segment)), dice.below(8));
        flip(&segment, at, bit);
        match open_log(&copy) {
            Err(EngineError::DamagedLog { segment: number, .. }) => {
                assert_eq!(segment.file_name().unwrap().to_str().unwrap(), format!("{number:08}.seg"));
            }
            other => panic!("byte {at} bit {bit}: {:?}", other.map(|l| l.head())),
        }
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

fn last_segment(folder: &Path) -> std::path::PathBuf {
    let mut all: Vec<_> = std::fs::read_dir(folder.join("log")).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "seg"));
    all.sort();
    all.pop().unwrap()
}

#[tokio::test]
async fn a_flipped_byte_anywhere_is_found_by_the_scrub_and_never_read_as_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let count = filled(folder.path()).await;
    let mut dice = Dice::new(31);
    for round in 0..40 {
        let copy = folder.path().join(format!("copy{round}"));
        copy_folder(&folder.path().join("log"), &copy.join("log"));
        let segment = copy.join("log").join(format!("{:08}.seg", 1 + dice.below(3)));
        let (at, bit) = (dice.below(used(&segment)), dice.below(8));
        flip(&segment, at, bit);
        // A start reads the heads of full segments only; the scrub and the readers find the rest.
        if let Ok(log) = open_log(&copy) {
            assert!(matches!(log.scrub(), Err(EngineError::DamagedLog { .. })), "byte {at} bit {bit}");
            let mut right = 0;
            for offset in 0..count {
                if let Ok(records) = log.read(Topic::Person, 0, offset, 1).await {
                    assert_eq!((records[0].offset, &records[0].value[..8]), (offset, &offset.to_le_bytes()[..]));
                    right += 1;
                }
            }
            assert!(right >= count / 2, "other records still read: {right}");
        }
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

#[tokio::test]
async fn a_torn_last_write_is_cut_off_and_all_that_was_acknowledged_stays() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(folder.path()).unwrap();
    for n in 0..20u64 {
        log.append(record(Topic::Person, 0, &[n.to_le_bytes().as_slice(), &[5; 300]].concat())).await.unwrap();
    }
    let acknowledged = folder.path().join("acknowledged");
    copy_folder(&folder.path().join("log"), &acknowledged);
    let from = used(&last_segment(folder.path()));
    log.append_all((0..9).map(|_| record(Topic::Person, 0, &[6; 300])).collect()).await.unwrap();
    log.close();
    let written = std::fs::read(last_segment(folder.path())).unwrap();
    let to = used(&last_segment(folder.path()));
    let mut dice = Dice::new(41);
    for round in 0..40 {
        // The crash came while the commit was written: some of its bytes are there, in any order; the marker is the one before.
        let copy = folder.path().join(format!("torn{round}"));
        copy_folder(&acknowledged, &copy.join("log"));
        let file = std::fs::File::options().write(true).open(last_segment(&copy)).unwrap();
        let hole = from + dice.below(to - from - 1);
        let length = 1 + dice.below((to - hole).min(600));
        let mut bytes = written[from..to].to_vec();
        bytes[hole - from..hole - from + length].fill(0);
        if bytes == written[from..to] {
            continue;
        }
        file.write_all_at(&bytes, from as u64).unwrap();
        let log = open_log(&copy).unwrap();
        assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap().len(), 20, "hole at {hole}, {length} long");
        assert_eq!(log.append(record(Topic::Person, 0, b"next")).await.unwrap().offset, 20);
        drop(log);
        open_log(&copy).unwrap().scrub().unwrap();
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

#[tokio::test]
async fn acknowledged_records_that_vanished_are_missed_at_start() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let original = folder.path().join("log");
    let cases: [(&str, Damage); 4] = [
        ("the end of the last segment is zeros", |log| {
            let path = last_segment(log.parent().unwrap());
            let end = used(&path);
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.write_all_at(&[0; 200], end as u64 - 200).unwrap();
        }),
        ("the last segment is gone", |log| std::fs::remove_file(last_segment(log.parent().unwrap())).unwrap()),
        ("a segment in the middle is gone", |log| std::fs::remove_file(log.join("00000002.seg")).unwrap()),
        ("a full segment is cut", |log| {
            let file = std::fs::File::options().write(true).open(log.join("00000002.seg")).unwrap();
            file.set_len(20_000).unwrap();
        }),
    ];
    for (what, damage) in cases {
        let copy = folder.path().join("copy");
        copy_folder(&original, &copy.join("log"));
        damage(&copy.join("log"));
        assert!(matches!(open_log(&copy), Err(EngineError::DamagedLog { .. })), "{what}");
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

#[tokio::test]
async fn a_missing_or_damaged_index_of_a_segment_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let count = filled(folder.path()).await;
    let log = folder.path().join("log");
    std::fs::remove_file(log.join("00000001.idx")).unwrap();
    flip(&log.join("00000002.idx"), 30, 1);
    let log = open_log(folder.path()).unwrap();
    assert_eq!(read_all(&log, Topic::Person, 0).await.unwrap().len() as u64, count);
    log.scrub().unwrap();
}

#[tokio::test]
async fn a_segment_of_another_log_is_refused() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(one.path()).await;
    filled(other.path()).await;
    std::fs::copy(other.path().join("log/00000002.seg"), one.path().join("log/00000002.seg")).unwrap();
    assert!(matches!(open_log(one.path()), Err(EngineError::DamagedLog { segment: 2, .. })));
}

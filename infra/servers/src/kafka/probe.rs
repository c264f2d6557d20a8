//! Whether a broker serves: it lists the brokers, and its partitions are in sync.

use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::certificates::Issued;
use crate::tls;
use crate::wire::{self, Fields};

const METADATA: i16 = 3;
/// Both 3.9 and 4.3 know it, and it is without the tagged fields of later ones.
const METADATA_VERSION: i16 = 1;
const CORRELATION: i32 = 7;
const ALL_TOPICS: i32 = -1;

/// What a broker knows of the others and of the partitions.
#[derive(Debug, PartialEq)]
pub(crate) struct Metadata {
    pub(crate) brokers: Vec<i32>,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Partition {
    pub(crate) replicas: Vec<i32>,
    pub(crate) in_sync: Vec<i32>,
}

impl Metadata {
    /// All of these brokers are up and have what they should have.
    pub(crate) fn check(&self, running: &[i32]) -> Result<()> {
        let missing: Vec<_> = running.iter().filter(|id| !self.brokers.contains(id)).collect();
        ensure!(missing.is_empty(), "it does not list the brokers {missing:?} yet");
        let lags = |partition: &Partition, id: &i32| partition.replicas.contains(id) && !partition.in_sync.contains(id);
        let behind = self.partitions.iter().filter(|partition| running.iter().any(|id| lags(partition, id))).count();
        ensure!(behind == 0, "{behind} partitions are not in sync yet");
        Ok(())
    }
}

/// Asks one broker.
pub(crate) fn ask(address: SocketAddr, client: &Issued) -> Result<Metadata> {
    let mut stream = tls::connect(address, client)?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; wire::length(length)?];
    stream.read_exact(&mut answer)?;
    read(&answer)
}

fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(METADATA_VERSION.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    wire::put_text(&mut body, "kiroku-servers");
    body.extend(ALL_TOPICS.to_be_bytes());
    [&(body.len() as u32).to_be_bytes(), body.as_slice()].concat()
}

fn read(answer: &[u8]) -> Result<Metadata> {
    let mut fields = Fields::new(answer);
    ensure!(fields.int32()? == CORRELATION, "the answer is to another request");
    let brokers = fields.list(|broker| {
        let id = broker.int32()?;
        let (_host, _port, _rack) = (broker.text()?, broker.int32()?, broker.text()?);
        Ok(id)
    })?;
    let _controller = fields.int32()?;
    let topics = fields.list(|topic| {
        let (_error, _name, _internal) = (topic.int16()?, topic.text()?, topic.take(1)?);
        topic.list(|partition| {
            let (_error, _index, _leader) = (partition.int16()?, partition.int32()?, partition.int32()?);
            Ok(Partition { replicas: partition.list(Fields::int32)?, in_sync: partition.list(Fields::int32)? })
        })
    })?;
    Ok(Metadata { brokers, partitions: topics.into_iter().flatten().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Vec<u8> {
        let mut bytes = Vec::new();
        let ints =
            |bytes: &mut Vec<u8>, values: &[i32]| bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        ints(&mut bytes, &[CORRELATION, 1, 4]);
        wire::put_text(&mut bytes, "127.0.0.1");
        ints(&mut bytes, &[9092]);
        bytes.extend((-1i16).to_be_bytes());
        ints(&mut bytes, &[4, 1]);
        bytes.extend(0i16.to_be_bytes());
        wire::put_text(&mut bytes, "log");
        bytes.push(0);
        ints(&mut bytes, &[1]);
        bytes.extend(0i16.to_be_bytes());
        ints(&mut bytes, &[0, 4, 2, 4, 5, 1, 4]);
        bytes
    }

    #[test]
    fn an_answer_is_read_to_its_end() {
        let partitions = vec![Partition { replicas: vec![4, 5], in_sync: vec![4] }];
        assert_eq!(read(&answer()).unwrap(), Metadata { brokers: vec![4], partitions });
        let whole = answer();
        assert!(read(&whole[..whole.len() - 1]).is_err());
    }

    #[test]
    fn a_broker_that_is_missing_or_behind_is_not_ready() {
        let metadata = read(&answer()).unwrap();
        assert!(metadata.check(&[4]).is_ok());
        assert!(metadata.check(&[4, 5]).unwrap_err().to_string().contains("[5]"));
        let listed = Metadata { brokers: vec![4, 5], ..metadata };
        assert_eq!(listed.check(&[4, 5]).unwrap_err().to_string(), "1 partitions are not in sync yet");
    }
}

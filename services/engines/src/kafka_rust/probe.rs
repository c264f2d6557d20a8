//! Whether brokers still understand version 0 of what kafka-rust asks. Kafka 4 dropped it (KIP-896), and there metadata still
//! answers while everything else fails without a word.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chassis::ports::log::LogError;

use super::link::connector;
use crate::kafka::Config;

const API_VERSIONS: i16 = 18;
const FETCH: i16 = 1;
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer is some hundred bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// Asks the brokers of the settings.
pub(super) fn check(config: &Config) -> Result<(), LogError> {
    for broker in &config.brokers {
        let least = ask(config, broker)?;
        if least > 0 {
            return Err(LogError::NotWritable(format!(
                "the broker `{broker}` answers fetches from version {least} on, and kafka-rust asks in version 0: it is for brokers up to \
                 3.9; use the other client for newer ones"
            )));
        }
    }
    Ok(())
}

/// The least version of Fetch that the broker takes (Produce says 0 also where it is not taken).
fn ask(config: &Config, broker: &str) -> Result<i16, LogError> {
    let stream = TcpStream::connect(broker)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let answer = match &config.tls {
        None => exchange(stream)?,
        Some(tls) => {
            let connector = connector(tls).map_err(std::io::Error::other)?;
            exchange(connector.connect(host, stream).map_err(|_| std::io::Error::other("Kafka: TLS failed"))?)?
        }
    };
    least_fetch(&answer).ok_or_else(|| std::io::Error::other("Kafka: the broker's versions do not read").into())
}

/// ApiVersions in version 0: length, key, version, correlation, client's name.
fn exchange(mut stream: impl Read + Write) -> std::io::Result<Vec<u8>> {
    let name = b"kiroku";
    let mut body = [&API_VERSIONS.to_be_bytes()[..], &0i16.to_be_bytes(), &1i32.to_be_bytes()].concat();
    body.extend((name.len() as i16).to_be_bytes());
    body.extend(name);
    stream.write_all(&[&(body.len() as u32).to_be_bytes()[..], &body].concat())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > ANSWER_MAX {
        return Err(std::io::Error::other("Kafka: this is no broker"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Correlation, error, count, then key, least and greatest version of each request.
fn least_fetch(answer: &[u8]) -> Option<i16> {
    let number = |at: usize| Some(i16::from_be_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    let count = u32::from_be_bytes(answer.get(6..10)?.try_into().ok()?) as usize;
    (0..count).map(|n| 10 + n * 6).find(|at| number(*at) == Some(FETCH)).and_then(|at| number(at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_version_of_fetch_is_read_out_of_an_answer() {
        let mut answer = [&1i32.to_be_bytes()[..], &0i16.to_be_bytes(), &2u32.to_be_bytes()].concat();
        for (key, least, most) in [(0i16, 0i16, 11i16), (FETCH, 4, 17)] {
            answer.extend([key.to_be_bytes(), least.to_be_bytes(), most.to_be_bytes()].concat());
        }
        assert_eq!(least_fetch(&answer), Some(4));
        assert_eq!(least_fetch(&answer[..12]), None, "cut short");
    }
}

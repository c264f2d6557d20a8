//! Whether a node serves: it lets the superuser in, and so many nodes answer a read through it.

use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use super::{PASSWORD, USER};
use crate::certificates::Issued;
use crate::tls;
use crate::wire::{self, Fields};

const REQUEST_V4: u8 = 0x04;
const ERROR: u8 = 0x00;
const STARTUP: u8 = 0x01;
const AUTHENTICATE: u8 = 0x03;
const OPTIONS: u8 = 0x05;
const SUPPORTED: u8 = 0x06;
const QUERY: u8 = 0x07;
const RESULT: u8 = 0x08;
const AUTH_RESPONSE: u8 = 0x0f;
const AUTH_SUCCESS: u8 = 0x10;

/// The roles are on every node, so at `All` this read asks every node.
const READ: &str = "SELECT role FROM system_auth.roles WHERE role = 'cassandra'";

/// How much of the cluster must answer through the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    All,
    Majority,
    /// Without a majority nobody can log in; that it answers must do.
    Node,
}

impl Level {
    /// What can be asked when `running` of `nodes` are up: with 1 or 3 nodes it is all that are up.
    pub(crate) fn of(running: usize, nodes: usize) -> Self {
        match running {
            all if all == nodes => Self::All,
            many if many * 2 > nodes => Self::Majority,
            _ => Self::Node,
        }
    }
}

/// Asks one node.
pub(crate) fn ask(address: SocketAddr, client: &Issued, level: Level) -> Result<()> {
    let mut stream = tls::connect(address, client)?;
    if level == Level::Node {
        return exchange(&mut stream, OPTIONS, &[], SUPPORTED);
    }
    exchange(&mut stream, STARTUP, &startup(), AUTHENTICATE)?;
    exchange(&mut stream, AUTH_RESPONSE, &credentials(), AUTH_SUCCESS).context("logging in")?;
    exchange(&mut stream, QUERY, &query(level), RESULT).with_context(|| format!("a read at {level:?}"))
}

/// Sends a request; an answer of another kind is an error.
fn exchange(stream: &mut (impl Read + Write), request: u8, body: &[u8], wanted: u8) -> Result<()> {
    let mut frame = vec![REQUEST_V4, 0, 0, 0, request];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    stream.write_all(&frame)?;
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    let [_version, _flags, _, _, kind, length @ ..] = header;
    let mut answer = vec![0; wire::length(length)?];
    stream.read_exact(&mut answer)?;
    if kind == ERROR {
        let mut fields = Fields::new(&answer);
        let (code, message) = (fields.int32()?, fields.text()?);
        anyhow::bail!("error {code:#06x}: {message}");
    }
    ensure!(kind == wanted, "an answer of kind {kind:#04x} instead of {wanted:#04x}");
    Ok(())
}

fn startup() -> Vec<u8> {
    let mut body = vec![0, 1];
    wire::put_text(&mut body, "CQL_VERSION");
    wire::put_text(&mut body, "3.0.0");
    body
}

/// SASL PLAIN.
fn credentials() -> Vec<u8> {
    let token = format!("\0{USER}\0{PASSWORD}");
    [&(token.len() as u32).to_be_bytes(), token.as_bytes()].concat()
}

fn query(level: Level) -> Vec<u8> {
    let consistency: u16 = if level == Level::All { 5 } else { 4 };
    let mut body = Vec::from((READ.len() as u32).to_be_bytes());
    body.extend(READ.as_bytes());
    body.extend(consistency.to_be_bytes());
    body.push(0);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_asks_every_node_that_runs() {
        assert_eq!(Level::of(1, 1), Level::All);
        assert_eq!(Level::of(3, 3), Level::All);
        assert_eq!(Level::of(2, 3), Level::Majority);
        assert_eq!(Level::of(1, 3), Level::Node);
    }

    /// Answers with what it was given, whatever is asked.
    struct Server(std::io::Cursor<Vec<u8>>);

    impl Read for Server {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(out)
        }
    }

    impl Write for Server {
        fn write(&mut self, sent: &[u8]) -> std::io::Result<usize> {
            Ok(sent.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_error_of_the_server_is_passed_on_in_its_words() {
        let mut body = Vec::from(0x0100u32.to_be_bytes());
        wire::put_text(&mut body, "bad credentials");
        let mut answer = vec![0x84, 0, 0, 0, ERROR];
        answer.extend((body.len() as u32).to_be_bytes());
        answer.extend(body);
        let mut server = Server(std::io::Cursor::new(answer));
        let problem = exchange(&mut server, AUTH_RESPONSE, &credentials(), AUTH_SUCCESS).unwrap_err();
        assert_eq!(problem.to_string(), "error 0x0100: bad credentials");
    }
}

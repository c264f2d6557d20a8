//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Below the range that Linux gives to outgoing connections (32768-60999). A port out of that range can be taken by any
/// connection while its server is down, and a client that calls such a port again and again may even meet itself there.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
const TRIES: usize = 200;

/// Ports that stay bound until this is dropped, right before their servers start.
#[derive(Default)]
pub(crate) struct Ports(Vec<TcpListener>);

impl Ports {
    /// One port that is free on all the addresses.
    pub(crate) fn reserve(&mut self, addresses: &[Ipv4Addr]) -> Result<u16> {
        for _ in 0..TRIES {
            let mut random = [0; 2];
            openssl::rand::rand_bytes(&mut random)?;
            let port = FIRST + u16::from_le_bytes(random) % COUNT;
            let bound: std::io::Result<Vec<_>> = addresses.iter().map(|ip| TcpListener::bind((*ip, port))).collect();
            if let Ok(listeners) = bound {
                self.0.extend(listeners);
                return Ok(port);
            }
        }
        None.with_context(|| format!("no port of {FIRST} and the {COUNT} after it is free on all of {addresses:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_differ_and_are_free_afterwards() {
        let here = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
        let mut ports = Ports::default();
        let (first, second) = (ports.reserve(&here).unwrap(), ports.reserve(&here).unwrap());
        assert_ne!(first, second);
        assert!(TcpListener::bind((here[1], first)).is_err());
        drop(ports);
        assert!(TcpListener::bind((here[1], first)).is_ok());
    }
}

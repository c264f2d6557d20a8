//! A connection as a client of the servers.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream};

use crate::certificates::Issued;

/// A server on this machine that takes longer is not ready.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Connects with this client's certificate; checks the server's certificate and its address.
pub(crate) fn connect(address: SocketAddr, client: &Issued) -> Result<SslStream<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_ca_file(&client.ca)?;
    connector.set_certificate_chain_file(&client.certificate)?;
    connector.set_private_key_file(&client.key, SslFiletype::PEM)?;
    connector.build().connect(&address.ip().to_string(), stream).context("TLS handshake")
}

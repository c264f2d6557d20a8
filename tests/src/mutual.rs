//! TLS between the gateway and the processes behind it, each with a certificate; made at run time.

use std::path::Path;

use anyhow::Result;
use chassis::config::{ClientCertificates, TlsSettings};
use reqwest::{Certificate, Identity};
use servers::Authority;

/// What both sides need.
pub struct Mutual {
    /// Of the processes: who shows no certificate of the authority is refused.
    pub tls: TlsSettings,
    /// Trusts the authority alone, and shows the gateway's certificate.
    pub http: reqwest::Client,
    /// The same trust, and nothing to show.
    pub stranger: reqwest::Client,
}

impl Mutual {
    /// With an authority of its own, in `folder`.
    pub fn new(folder: &Path) -> Result<Self> {
        let authority = Authority::open_or_create(folder)?;
        let (processes, gateway) = (authority.server()?, authority.client("gateway")?);
        let tls = TlsSettings {
            certificate: Some(processes.clone()),
            key: Some(processes),
            client_ca: Some(authority.ca()),
            client_certificates: ClientCertificates::Required,
        };
        let identity = Identity::from_pkcs8_pem(&std::fs::read(gateway.certificate)?, &std::fs::read(gateway.key)?)?;
        let authority = Certificate::from_pem(&std::fs::read(gateway.ca)?)?;
        let client = || reqwest::Client::builder().tls_certs_only([authority.clone()]);
        Ok(Self { tls, http: client().identity(identity).build()?, stranger: client().build()? })
    }
}

//! TLS 1.3 with OpenSSL: client certificates, and certificates that are replaced without a restart.

use std::any::Any;
use std::future::{Ready, ready};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use actix_tls::accept::openssl::TlsStream;
use actix_tls::accept::openssl::reexports::SslAcceptorBuilder;
use actix_web::dev::{Extensions, Payload};
use actix_web::{FromRequest, HttpRequest};
use arc_swap::ArcSwap;
use base64::Engine as _;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ssl::{SniError, SslAcceptor, SslContext, SslFiletype, SslMethod, SslSessionCacheMode, SslVerifyMode};
use openssl::x509::X509Name;
use tokio::net::TcpStream;

use super::refusal::Refusal;
use crate::config::{ClientCertificates, TlsSettings};

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`tls.{0}` is not set")]
    Missing(&'static str),
    #[error("`tls.{name}` cannot be used")]
    Unusable { name: &'static str, source: ErrorStack },
    #[error("tls cannot be set up")]
    Setup(#[from] ErrorStack),
}

/// The certificate that the client of this connection has shown; verified against `tls.client_ca`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of its DER form.
    pub sha256: [u8; 32],
    hex: [u8; 64],
}

impl PeerCertificate {
    /// From the SHA-256 of the DER form.
    pub fn new(sha256: [u8; 32]) -> Self {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(sha256) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        Self { sha256, hex }
    }

    /// The same in hexadecimal, lower case: the form of the registry and of access entries.
    pub fn hex(&self) -> &str {
        std::str::from_utf8(&self.hex).expect("digits are ascii")
    }

    /// The confirmation `x5t#S256` of a token that is bound to this certificate (RFC 8705).
    pub fn x5t_s256(&self) -> String {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.sha256)
    }

    /// Of the connection of `req`; `None` without TLS or where no certificate was shown.
    pub fn of(req: &HttpRequest) -> Option<Self> {
        req.conn_data::<Self>().copied()
    }

    /// Called once per connection.
    pub(super) fn keep(io: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = io.downcast_ref::<TlsStream<TcpStream>>() else { return };
        let Some(certificate) = stream.ssl().peer_certificate() else { return };
        if let Some(sha256) = certificate.digest(MessageDigest::sha256()).ok().and_then(|d| d.as_ref().try_into().ok())
        {
            extensions.insert(Self::new(sha256));
        }
    }
}

/// Its hexadecimal form: `Option<PeerCertificate>::as_deref` is what [`crate::auth::verify::Verifier::verify`] takes.
impl std::ops::Deref for PeerCertificate {
    type Target = str;

    fn deref(&self) -> &str {
        self.hex()
    }
}

impl FromRequest for PeerCertificate {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    /// Where a route needs a certificate; use `Option<PeerCertificate>` where it may be absent.
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req).ok_or_else(|| Refusal::unauthorized("invalid_client").into()))
    }
}

/// The certificates in use; [`Certificates::reload`] replaces them for the connections to come.
#[derive(Debug)]
pub(super) struct Certificates {
    settings: TlsSettings,
    current: ArcSwap<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    context: SslContext,
    stamps: Vec<Option<(SystemTime, u64)>>,
}

impl Certificates {
    pub(super) fn load(settings: &TlsSettings) -> Result<Arc<Self>, TlsError> {
        let loaded = Loaded { stamps: stamps(settings), context: builder(settings)?.build().into_context() };
        Ok(Arc::new(Self { settings: settings.clone(), current: ArcSwap::from_pointee(loaded) }))
    }

    /// Reads the files again if one has changed. On an error the old certificates stay, and the next call tries again.
    pub(super) fn reload(&self) -> Result<bool, TlsError> {
        let stamps = stamps(&self.settings);
        if stamps == self.current.load().stamps {
            return Ok(false);
        }
        let context = builder(&self.settings)?.build().into_context();
        self.current.store(Arc::new(Loaded { context, stamps }));
        Ok(true)
    }

    /// What the server binds with: each handshake changes to the newest context before it looks for a certificate.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<SslAcceptorBuilder, TlsError> {
        let mut acceptor = builder(&self.settings)?;
        let certificates = Arc::clone(self);
        // OpenSSL calls this in every handshake, with or without a server name.
        acceptor.set_servername_callback(move |ssl, _| {
            ssl.set_ssl_context(&certificates.current.load().context).map_err(|_| SniError::ALERT_FATAL)
        });
        Ok(acceptor)
    }
}

fn files(settings: &TlsSettings) -> [Option<&PathBuf>; 3] {
    [settings.certificate.as_ref(), settings.key.as_ref(), settings.client_ca.as_ref()]
}

fn stamps(settings: &TlsSettings) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &PathBuf| std::fs::metadata(path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
    files(settings).into_iter().map(|file| file.and_then(stamp)).collect()
}

fn builder(settings: &TlsSettings) -> Result<SslAcceptorBuilder, TlsError> {
    let mut tls = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server())?;
    let certificate = settings.certificate.as_ref().ok_or(TlsError::Missing("certificate"))?;
    let key = settings.key.as_ref().ok_or(TlsError::Missing("key"))?;
    let unusable = |name| move |source| TlsError::Unusable { name, source };
    tls.set_certificate_chain_file(certificate).map_err(unusable("certificate"))?;
    tls.set_private_key_file(key, SslFiletype::PEM).map_err(unusable("key"))?;
    tls.check_private_key().map_err(unusable("key"))?;
    // No resumption: every connection proves its certificate anew, so that one taken out of `client_ca` is out at once.
    tls.set_num_tickets(0)?;
    tls.set_session_cache_mode(SslSessionCacheMode::OFF);
    let mode = match settings.client_certificates {
        ClientCertificates::Off => SslVerifyMode::NONE,
        ClientCertificates::Optional => SslVerifyMode::PEER,
        ClientCertificates::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    if mode != SslVerifyMode::NONE {
        let authorities = settings.client_ca.as_ref().ok_or(TlsError::Missing("client_ca"))?;
        tls.set_ca_file(authorities).map_err(unusable("client_ca"))?;
        tls.set_client_ca_list(X509Name::load_client_ca_file(authorities).map_err(unusable("client_ca"))?);
    }
    tls.set_verify(mode);
    Ok(tls)
}

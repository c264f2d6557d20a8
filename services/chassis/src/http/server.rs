//! Starts and stops the one HTTP server of a process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::Compress;
use actix_web::{App, HttpServer, web};
use tokio::task::JoinHandle;

use super::refusal::Refusal;
use super::tls::{Certificates, PeerCertificate, TlsError};
use super::watch::Watch;
use crate::config::Settings;

/// How often certificate files are looked at.
const CERTIFICATES_LOOKED_AT: Duration = Duration::from_secs(2);

/// The server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on `{listen}`")]
    Listen { listen: String, source: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A server that answers. Dropping it leaves it running; [`Running::stop`] ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    watcher: Option<JoinHandle<()>>,
    certificates: Option<Arc<Certificates>>,
}

impl Running {
    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no new connections, lets running requests finish (at most `http.stop_timeout_s`), ends.
    pub async fn stop(self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
        self.handle.stop(true).await;
        if !matches!(self.server.await, Ok(Ok(()))) {
            tracing::error!("the http server did not end cleanly");
        }
    }

    /// Looks at the certificate files now instead of at the next turn; true if they were replaced.
    pub fn reload_certificates(&self) -> Result<bool, TlsError> {
        self.certificates.as_ref().map_or(Ok(false), |certificates| certificates.reload())
    }
}

/// Serves `app` (called once per worker) as `settings.http`, `settings.tls` and `settings.limits` say. Call it inside a
/// Tokio runtime. Signals are left to the caller.
pub fn serve<F>(settings: &Settings, app: F) -> Result<Running, ServeError>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let http = &settings.http;
    let bytes_max = settings.limits.submission_bytes_max;
    let watch = Watch { body_timeout: Duration::from_secs(http.body_timeout_s), bytes_max };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(bytes_max))
            .app_data(web::JsonConfig::default().limit(bytes_max))
            .app_data(web::FormConfig::default().limit(bytes_max))
            .configure(app.clone())
            .default_service(web::to(unknown_path))
            .wrap(Compress::default())
            .wrap(watch.clone())
    })
    .keep_alive(Duration::from_secs(http.keep_alive_s))
    .client_request_timeout(Duration::from_millis(http.header_timeout_ms))
    .tls_handshake_timeout(Duration::from_millis(http.header_timeout_ms))
    .shutdown_timeout(http.stop_timeout_s)
    .max_connections(http.connections_max)
    .workers(workers(http.workers))
    .on_connect(PeerCertificate::keep)
    .disable_signals();
    let listen = |source| ServeError::Listen { listen: http.listen.clone(), source };
    let certificates = settings.tls.certificate.is_some().then(|| Certificates::load(&settings.tls)).transpose()?;
    let server = match &certificates {
        None => server.bind(&http.listen),
        Some(certificates) => server.bind_openssl(&http.listen, certificates.acceptor()?),
    }
    .map_err(listen)?;
    let address = *server.addrs().first().ok_or_else(|| listen(std::io::ErrorKind::AddrNotAvailable.into()))?;
    let server = server.run();
    let handle = server.handle();
    let watcher = certificates.clone().map(|certificates| tokio::spawn(watch_certificates(certificates)));
    tracing::info!(%address, tls = certificates.is_some(), "listening");
    Ok(Running { address, handle, server: tokio::spawn(server), watcher, certificates })
}

fn workers(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(2, Into::into),
        some => some,
    }
}

async fn unknown_path() -> Result<&'static str, Refusal> {
    Err(Refusal::of_status(actix_web::http::StatusCode::NOT_FOUND, 0))
}

async fn watch_certificates(certificates: Arc<Certificates>) {
    let mut turn = tokio::time::interval(CERTIFICATES_LOOKED_AT);
    loop {
        turn.tick().await;
        match certificates.reload() {
            Ok(true) => tracing::info!("certificates replaced"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "certificates not replaced, the old ones stay"),
        }
    }
}

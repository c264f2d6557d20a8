//! The other side of the A/B: a bare actix-web endpoint that answers every request with the bytes of a file and the headers
//! of a read. Nothing is checked, decided, logged or stored.

use std::net::SocketAddr;
use std::path::PathBuf;

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser;

/// Serves one body.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// File whose bytes are the answer's body.
    #[arg(long)]
    body: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let body = web::Bytes::from(std::fs::read(&arguments.body)?);
    HttpServer::new(move || {
        let body = body.clone();
        App::new().default_service(web::to(move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type("application/fhir+json; charset=utf-8").body(body) }
        }))
    })
    .workers(arguments.workers)
    .bind(arguments.listen)?
    .run()
    .await?;
    Ok(())
}

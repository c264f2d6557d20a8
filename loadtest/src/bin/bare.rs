//! The other side of the A/B: a bare actix-web endpoint that gives back recorded answers, heads and bodies, byte for byte.
//! Nothing is checked, decided, logged or stored.

use std::net::SocketAddr;
use std::path::PathBuf;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use loadtest::driver::recorded;

/// Gives back recorded answers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// File of answers that the load test recorded; any other path is answered with nothing.
    #[arg(long)]
    answers: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // For the whole run of the process; not shared by counting, which would cost the workers a cache line.
    let answers: &'static _ = Box::leak(Box::new(recorded::load(&arguments.answers)?));
    HttpServer::new(move || {
        App::new().default_service(web::to(move |request: HttpRequest| async move {
            let Some(answer) = answers.get(request.path()) else { return HttpResponse::Ok().finish() };
            let mut response = HttpResponse::Ok();
            for header in &answer.headers {
                response.append_header(header.clone());
            }
            response.body(answer.body.clone())
        }))
    })
    .workers(arguments.workers)
    .bind(arguments.listen)?
    .run()
    .await?;
    Ok(())
}

//! The generator against small servers of its own: it counts what is wrong, and a wait counts as latency.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use loadtest::driver::drive::{Job, Load, drive};
use loadtest::driver::http::{Answer, Connection, write_request};
use loadtest::driver::recorded::{self, Recorder};
use loadtest::population::Dice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Expects the body `ok`.
struct Plain;

impl Job for Plain {
    fn write(&self, _: &str, _: &mut Dice, out: &mut Vec<u8>) -> u64 {
        write_request(out, ("GET", "/"), "", "", b"");
        0
    }

    fn check(&self, _: u64, answer: &Answer<'_>) -> Result<(), String> {
        if answer.status == 200 && answer.body == b"ok" { Ok(()) } else { Err("not ok".to_owned()) }
    }
}

/// A server that answers the `n`-th request of a connection after `delay(n)` with `body(n)`.
fn serve(delay: fn(u64) -> Duration, body: fn(u64) -> &'static str) -> Result<SocketAddr> {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            send.send(listener.local_addr()?)?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(async move {
                    let mut input = [0_u8; 4096];
                    let mut n = 0;
                    while stream.read(&mut input).await.is_ok_and(|read| read > 0) {
                        tokio::time::sleep(delay(n)).await;
                        let body = body(n);
                        // In two writes, so that an answer may arrive in pieces.
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nETag: W/\"1\"\r\n", body.len());
                        let sent = stream.write_all(head.as_bytes()).await.and(stream.flush().await);
                        if sent.is_err() || stream.write_all(format!("\r\n{body}").as_bytes()).await.is_err() {
                            return;
                        }
                        n += 1;
                    }
                });
            }
        })
    });
    Ok(receive.recv()?)
}

fn load(connections: usize, rate: Option<f64>, lasting: Duration, limit: u64) -> Load {
    Load { connections, threads: 2, rate, lasting, limit, seed: 1 }
}

#[test]
fn every_wrong_answer_is_counted_and_said() -> Result<()> {
    let address = serve(|_| Duration::ZERO, |n| if n % 10 == 9 { "no" } else { "ok" })?;
    let measured = drive(address, Arc::new(Plain), None, load(1, None, Duration::from_secs(30), 100))?;
    assert_eq!((measured.answers, measured.wrong), (100, 10));
    assert_eq!(measured.faults.first().map(String::as_str), Some("not ok"));
    Ok(())
}

#[test]
fn a_recorded_answer_is_kept_whole_but_for_the_header_lines_that_every_server_writes_itself() -> Result<()> {
    let address = serve(|_| Duration::ZERO, |n| if n == 0 { "first" } else { "" })?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("answers");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let mut recorder = Recorder::create(&file)?;
        for path in ["/a", "/b"] {
            let mut request = Vec::new();
            write_request(&mut request, ("GET", path), "", "", b"");
            recorder.add(path, &connection.send(&request).await?)?;
        }
        recorder.finish()
    })?;
    let answers = recorded::load(&file)?;
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers["/a"].body[..], &answers["/b"].body[..]), (&b"first"[..], &b""[..]));
    let headers: Vec<_> = answers["/a"].headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(headers, [("etag", &b"W/\"1\""[..])]);
    std::fs::write(&file, &std::fs::read(&file)?[..20])?;
    assert!(recorded::load(&file).is_err(), "a file that was cut is no file of answers");
    Ok(())
}

#[test]
fn the_open_loop_sends_its_whole_schedule() -> Result<()> {
    let address = serve(|_| Duration::ZERO, |_| "ok")?;
    let measured = drive(address, Arc::new(Plain), None, load(8, Some(500.0), Duration::from_millis(600), u64::MAX))?;
    assert_eq!((measured.answers, measured.wrong), (300, 0));
    Ok(())
}

#[test]
fn a_stalled_server_shows_in_the_latency_of_all_that_should_have_been_sent_meanwhile() -> Result<()> {
    // One connection, one stall of 300 ms: a closed loop would see one slow answer, the schedule sees some thirty.
    let stall = |n| if n == 5 { Duration::from_millis(300) } else { Duration::ZERO };
    let address = serve(stall, |_| "ok")?;
    let measured = drive(address, Arc::new(Plain), None, load(1, Some(100.0), Duration::from_secs(1), u64::MAX))?;
    assert_eq!((measured.answers, measured.wrong), (100, 0));
    let slow = measured.latency.count_between(50_000_000, 60_000_000_000);
    assert!((20..=60).contains(&slow), "{slow} slow answers");
    Ok(())
}

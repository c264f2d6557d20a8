use std::io::Write;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{get, send};
use crate::fixture::{settings, start};

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_read() {
    let site = start(&settings());
    let post = |n: usize| send(reqwest::Client::new().post(format!("{}/bytes", site.base)).body(vec![b' '; n]));
    assert_eq!(post(100_000).await.json(), 100_000);
    let said = post(100_001).await;
    assert_eq!(said.outcome(413), "too-long");
    assert!(said.json()["issue"][0]["diagnostics"].as_str().unwrap().contains("100000"));
    assert_eq!(get(format!("{}/large", site.base)).await.status, 200, "the next request is untouched");
    site.running.stop().await;
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_large_one_is_refused() {
    let site = start(&settings());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b' '; 50_000_000]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 100_000);
    let request =
        reqwest::Client::new().post(format!("{}/bytes", site.base)).header("content-encoding", "gzip").body(packed);
    assert_eq!(send(request).await.outcome(413), "too-long");
    site.running.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_its_body_too_slowly_is_cut_off() {
    let mut settings = settings();
    settings.http.body_timeout_s = 0;
    let site = start(&settings);
    let mut stream = tokio::net::TcpStream::connect(site.running.address()).await.unwrap();
    stream.write_all(b"POST /bytes HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("OperationOutcome") {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0, "{}", String::from_utf8_lossy(&said));
    }
    assert!(said.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&said));
    drop(stream);
    site.running.stop().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let mut settings = settings();
    settings.http.header_timeout_ms = 100;
    let site = start(&settings);
    let mut stream = tokio::net::TcpStream::connect(site.running.address()).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nx-slow: ").await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&said));
    site.running.stop().await;
}

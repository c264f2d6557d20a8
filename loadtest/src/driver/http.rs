//! A small HTTP/1.1 client for load: one kept-alive connection, no copies beyond one buffer. It reads what our servers send
//! (a status, headers, a body of a known length) and refuses the rest, because the generator shares the cores with the server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Why no answer could be read.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the server closed the connection before the answer ended")]
    Closed,
    #[error("the head of the answer does not read: {0}")]
    Head(&'static str),
}

/// A head longer than this is not one of ours.
const HEAD_MAX: usize = 64 * 1024;
const READ_MIN: usize = 16 * 1024;

/// One connection that is used for one request after the other.
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// Bytes of `input` that hold something.
    filled: usize,
}

/// One answer, borrowed from the connection's buffer.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The lines of the head below the status, each with its line end.
    pub fn header_lines(&self) -> &'a [u8] {
        let lines = self.head.iter().position(|&byte| byte == b'\n').map_or(self.head.len(), |end| end + 1);
        self.head[lines..].strip_suffix(b"\r\n").unwrap_or_default()
    }

    /// The header's value; `name` in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name.as_bytes()).and_then(|value| std::str::from_utf8(value).ok())
    }
}

impl Connection {
    /// Connects, without Nagle's delay.
    pub async fn open(address: SocketAddr) -> Result<Self, HttpError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: vec![0; READ_MIN], filled: 0 })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>, HttpError> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let head_end = self.read_head().await?;
        let head = &self.input[..head_end];
        let status = status(head)?;
        let length = match header(head, b"content-length") {
            Some(text) => number(text).ok_or(HttpError::Head("content-length is no number"))?,
            None if status == 204 || status == 304 => 0,
            None => return Err(HttpError::Head("no content-length")),
        };
        let end = head_end + length;
        if self.input.len() < end {
            self.input.resize(end, 0);
        }
        while self.filled < end {
            self.read_some().await?;
        }
        if self.filled > end {
            return Err(HttpError::Head("bytes after the answer"));
        }
        Ok(Answer { status, head: &self.input[..head_end], body: &self.input[head_end..end] })
    }

    async fn read_head(&mut self) -> Result<usize, HttpError> {
        loop {
            let searched = self.filled.saturating_sub(3);
            self.read_some().await?;
            if let Some(at) = memchr::memmem::find(&self.input[searched..self.filled], b"\r\n\r\n") {
                return Ok(searched + at + 4);
            }
            if self.filled > HEAD_MAX {
                return Err(HttpError::Head("too long"));
            }
        }
    }

    async fn read_some(&mut self) -> Result<(), HttpError> {
        if self.filled == self.input.len() {
            self.input.resize(self.filled + READ_MIN, 0);
        }
        match self.stream.read(&mut self.input[self.filled..]).await? {
            0 => Err(HttpError::Closed),
            n => {
                self.filled += n;
                Ok(())
            }
        }
    }
}

/// A request in the form that [`Connection::send`] wants, appended to `out`. `token` may be empty; `extra` is further header
/// lines, each with its line end.
pub fn write_request(out: &mut Vec<u8>, target: (&str, &str), token: &str, extra: &str, body: &[u8]) {
    write_head(out, target, token, extra, body.len());
    out.extend_from_slice(body);
}

/// The head alone, for a body of `length` bytes that the caller appends.
pub fn write_head(out: &mut Vec<u8>, (method, path): (&str, &str), token: &str, extra: &str, length: usize) {
    for part in [method, " ", path, " HTTP/1.1\r\nHost: load\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    if !token.is_empty() {
        for part in ["Authorization: Bearer ", token, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(extra.as_bytes());
    if length > 0 || method != "GET" {
        out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn status(head: &[u8]) -> Result<u16, HttpError> {
    let digits = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let value = digits.and_then(number).ok_or(HttpError::Head("no status"))?;
    u16::try_from(value).map_err(|_| HttpError::Head("no status"))
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (before, after) = (line.get(..name.len())?, line.get(name.len()..)?);
        let value = after.strip_prefix(b":")?;
        before.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case_and_not_inside_another_name() {
        let head = b"HTTP/1.1 201 Created\r\nX-Content-Length: 7\r\nContent-LENGTH:  12 \r\n\r\n";
        assert_eq!(status(head).ok(), Some(201));
        assert_eq!(header(head, b"content-length"), Some(&b"12"[..]));
        assert_eq!(header(head, b"etag"), None);
    }

    #[test]
    fn a_request_says_the_length_of_its_body() {
        let mut out = Vec::new();
        write_request(&mut out, ("POST", "/fhir/Observation"), "t", "Prefer: return=minimal\r\n", b"{}");
        let text = String::from_utf8_lossy(&out);
        assert_eq!(
            text,
            "POST /fhir/Observation HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer t\r\nPrefer: return=minimal\r\nContent-Length: 2\r\n\r\n{}"
        );
    }
}

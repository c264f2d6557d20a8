//! A body that must arrive in time: whoever sends one byte a minute is cut off.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

/// The payload with a deadline for the whole of it, counted from the first wait.
pub(super) fn with_deadline(payload: Payload, limit: Duration) -> Payload {
    match payload {
        Payload::None => Payload::None,
        inner => Payload::Stream { payload: Box::pin(Timed { inner, limit, timer: None }) },
    }
}

/// Whether an error of reading a body is the deadline.
pub(super) fn is_deadline(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(e) if e.kind() == io::ErrorKind::TimedOut)
}

struct Timed {
    inner: Payload,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stream for Timed {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(item) = Pin::new(&mut this.inner).poll_next(cx) {
            return Poll::Ready(item);
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(this.limit)));
        timer.as_mut().poll(cx).map(|()| Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
    }
}

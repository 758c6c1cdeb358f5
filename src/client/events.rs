//! [`Events`]: a daemon's events as they happen, over a connection of their own.

use super::connections::{broken, problem};
use super::{Client, ClientError, PATIENCE, parsed, uri};
use crate::api;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, header};
use sse_stream::{Sse, SseStream};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;

/// Events of a network: see [`Client::events`].
pub struct Events(Pin<Box<SseStream<Incoming>>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events(..)")
    }
}

impl Client {
    /// Records and changes of peers, all of them, from `from` on (see [`api::EventsQuery`]) or, if there is one, behind the event with the id `last`.
    pub async fn events(&self, from: Option<&str>, last: Option<&str>) -> Result<Events, ClientError> {
        let query = [
            ("network", self.network.clone()),
            ("from", from.map(str::to_owned)),
            ("backlog", Some("keep".to_owned())),
            ("kinds", Some("gossip,peer".to_owned())),
        ];
        let mut request = Request::builder().uri(uri("/events", &query)).header(header::HOST, "localhost");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Full::<Bytes>::default());
        let request = request.map_err(|error| ClientError::Garbled(error.to_string()))?;
        let opening = async { self.connections.connect().await?.send_request(request).await.map_err(broken) };
        let answer = tokio::time::timeout(PATIENCE, opening).await.map_err(|_| ClientError::Silent(PATIENCE))??;
        let status = answer.status();
        if !status.is_success() {
            let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
            return Err(ClientError::Refused(problem(status, &body)));
        }
        Ok(Events(Box::pin(SseStream::new(answer.into_body()))))
    }
}

impl Events {
    /// The next event, with its id; `None` when the daemon ends the stream. May be dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<(String, api::Event)>, ClientError> {
        use futures_util::Stream;
        loop {
            match poll_fn(|context| self.0.as_mut().poll_next(context)).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::Broken(error.to_string())),
                Some(Ok(Sse { id: Some(id), data: Some(data), .. })) => {
                    return Ok(Some((id, parsed(data.as_bytes())?)));
                }
                // A heartbeat.
                Some(Ok(_)) => (),
            }
        }
    }
}

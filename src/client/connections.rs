//! [`Connections`]: to a control socket. One that has answered is used again by the next call.

use super::ClientError;
use crate::api::Problem;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UnixStream;

/// Sends requests over a connection, one after the other.
pub type Sender = SendRequest<Full<Bytes>>;

/// See the module.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Where the daemon listens.
    pub socket: PathBuf,
    idle: Arc<Mutex<Option<Sender>>>,
}

impl Connections {
    /// None yet.
    pub fn new(socket: PathBuf) -> Connections {
        Connections { socket, idle: Arc::default() }
    }

    /// A whole answer to a request, over the connection that is idle, if there is one.
    pub async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<(HeaderMap, Bytes), ClientError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut kept = idle.is_some();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let answer = loop {
            match sender.try_send_request(request).await {
                Ok(answer) => break answer,
                // One that was idle was closed meanwhile, and the daemon has seen nothing of this: once more, over a new one.
                Err(mut error) => match error.take_message().filter(|_| std::mem::take(&mut kept)) {
                    Some(unsent) => (request, sender) = (unsent, self.connect().await?),
                    None => return Err(broken(error.into_error())),
                },
            }
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        if status.is_success() { Ok((headers, body)) } else { Err(ClientError::Refused(problem(status, &body))) }
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Sender, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| self.unreachable(source))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends with the daemon or with the client; what goes wrong with it shows in the answer.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn unreachable(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Forbidden { socket },
            _ => ClientError::NoDaemon { socket, source },
        }
    }
}

/// What hyper says went wrong.
pub fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(error.to_string())
}

/// What a refusal says, or what it comes to.
pub fn problem(status: StatusCode, body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        status: status.as_u16(),
        title: "the daemon said no".into(),
        detail: status.to_string(),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn request() -> Request<Full<Bytes>> {
        Request::builder().uri("/").header("host", "localhost").body(Full::default()).unwrap()
    }

    /// Reads one.
    async fn asked(stream: &mut UnixStream) {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
    }

    /// Two calls come over one connection; a third over another, as the daemon has closed the first meanwhile.
    #[tokio::test]
    async fn a_connection_answers_more_than_one_call_and_a_closed_one_fails_none() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let daemon = tokio::spawn(async move {
            for calls in [2, 1] {
                let (mut stream, _) = listener.accept().await.unwrap();
                for _ in 0..calls {
                    asked(&mut stream).await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                }
            }
        });
        let connections = Connections::new(socket);
        for _ in 0..3 {
            assert_eq!(connections.exchange(request()).await.unwrap().1, "ok");
        }
        daemon.await.unwrap();
    }

    /// Whoever answers once and then closes every connection at once went away.
    #[tokio::test]
    async fn a_request_is_sent_anew_once_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let daemon = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            asked(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            drop(stream);
            loop {
                drop(listener.accept().await.unwrap());
            }
        });
        let connections = Connections::new(socket);
        assert_eq!(connections.exchange(request()).await.unwrap().1, "ok");
        let again = tokio::time::timeout(Duration::from_secs(30), connections.exchange(request())).await;
        assert!(matches!(again, Ok(Err(ClientError::Broken(_)))), "{again:?}");
        daemon.abort();
    }

    #[test]
    fn an_error_without_a_problem_is_one_all_the_same() {
        assert_eq!(problem(StatusCode::BAD_GATEWAY, b"<html>").status, 502);
    }
}

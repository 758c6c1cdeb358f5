//! Lines of JSON: read whole or as they come, each with an answer of one line.

use super::body::REQUEST;
use super::problem::problem;
use crate::api::{self, LONGEST_JSON, Problem};
use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::Serialize;
use std::io::BufRead;
use std::time::Duration;

/// Their content type.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// Lines, and bytes of them, that are taken at once.
const LINES: usize = 256;
const BYTES: usize = 1 << 20;
/// How long lines that are here wait for more.
const GATHER: Duration = Duration::from_millis(5);

/// Reads a line.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).or_else(|_| {
        // Once more, to say where it is wrong.
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = serde_path_to_error::deserialize(&mut json).map_err(|error| error.to_string())?;
        json.end().map_err(|error| error.to_string())?;
        Ok(read)
    })
}

/// A line that nothing came of.
pub(super) fn failed(line: u64, problem: &Problem) -> api::Outcome {
    api::Outcome { line, status: problem.status, guid: None, detail: Some(problem.detail.clone()) }
}

/// A line each.
pub(super) fn told(all: &[impl Serialize]) -> Bytes {
    let mut lines = Vec::new();
    for one in all {
        serde_json::to_writer(&mut lines, one).expect("plain data becomes JSON");
        lines.push(b'\n');
    }
    lines.into()
}

/// Bytes up to the first end of a line and with it, or all.
fn line_len(mut bytes: &[u8]) -> usize {
    // Reading from memory does not fail.
    bytes.skip_until(b'\n').unwrap_or_default()
}

/// The lines of a whole body with their numbers, without empty ones.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let (mut rest, mut line) = (body, 0);
    let all = std::iter::from_fn(move || {
        let (next, behind) = rest.split_at_checked(line_len(rest)).filter(|(next, _)| !next.is_empty())?;
        (rest, line) = (behind, line + 1);
        Some((line, next))
    });
    all.filter(|(_, text)| !text.trim_ascii().is_empty())
}

/// A body line by line, as it comes.
pub(super) struct Lines {
    body: BodyDataStream,
    buffer: BytesMut,
    /// So much of the buffer has no end of a line.
    searched: usize,
    /// The number of the last line.
    line: u64,
    ended: bool,
    /// Why there is no line behind that one: told when all before it were.
    wrong: Option<Problem>,
}

impl Lines {
    /// From the first.
    pub(super) fn new(body: Body) -> Lines {
        let (body, buffer) = (body.into_data_stream(), BytesMut::new());
        Lines { body, buffer, searched: 0, line: 0, ended: false, wrong: None }
    }

    /// The next lines with their numbers, without empty ones; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<(u64, Bytes)>, Problem> {
        let (mut lines, mut size) = (Vec::new(), 0);
        loop {
            while lines.len() < LINES && size < BYTES {
                let Some(line) = self.line() else { break };
                if !line.trim_ascii().is_empty() {
                    size += line.len();
                    lines.push((self.line, line));
                }
            }
            if self.ended || self.wrong.is_some() || lines.len() >= LINES || size >= BYTES {
                break;
            }
            let patience = if lines.is_empty() { REQUEST } else { GATHER };
            match tokio::time::timeout(patience, self.body.next()).await {
                Ok(part) => self.take(part),
                Err(_) if !lines.is_empty() => break,
                Err(_) => {
                    let detail = format!("nothing came for {} s", REQUEST.as_secs());
                    self.wrong = Some(problem(StatusCode::REQUEST_TIMEOUT, detail));
                }
            }
        }
        match self.wrong.take_if(|_| lines.is_empty()) {
            Some(wrong) => Err(wrong),
            None => Ok(lines),
        }
    }

    fn take(&mut self, part: Option<Result<Bytes, axum::Error>>) {
        match part {
            Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
            Some(Err(error)) => self.wrong = Some(problem(StatusCode::BAD_REQUEST, error.to_string())),
            None => self.ended = true,
        }
        if self.buffer.len() > LONGEST_JSON && !self.buffer[self.searched..].contains(&b'\n') {
            let detail = format!("line {} has more than {LONGEST_JSON} bytes", self.line + 1);
            self.wrong = Some(problem(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
    }

    /// The number of the last line that was read.
    pub(super) fn number(&self) -> u64 {
        self.line
    }

    fn line(&mut self) -> Option<Bytes> {
        let len = self.searched + line_len(self.buffer.get(self.searched..)?);
        if !self.buffer[..len].ends_with(b"\n") && (!self.ended || len == 0) {
            self.searched = len;
            return None;
        }
        (self.searched, self.line) = (0, self.line + 1);
        Some(self.buffer.split_to(len).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_as_they_were_sent_however_they_are_cut() {
        let text = b"one\n\ntwo\r\nthree and no end";
        for cut in 1..text.len() {
            let parts: Vec<Result<Bytes, std::io::Error>> =
                text.chunks(cut).map(|part| Ok(part.to_vec().into())).collect();
            let mut lines = Lines::new(Body::from_stream(futures_util::stream::iter(parts)));
            let mut all = Vec::new();
            loop {
                let some = lines.next().await.unwrap();
                if some.is_empty() {
                    break;
                }
                all.extend(some.into_iter().map(|(at, line)| (at, line.trim_ascii().to_vec())));
            }
            let expected: [(u64, &[u8]); 3] = [(1, b"one"), (3, b"two"), (4, b"three and no end")];
            assert_eq!(all, expected.map(|(at, line)| (at, line.to_vec())), "{cut}");
            let whole: Vec<_> = super::lines(text).map(|(at, line)| (at, line.trim_ascii().to_vec())).collect();
            assert_eq!(whole, all);
        }
    }
    #[tokio::test]
    async fn what_was_read_whole_is_told_before_what_is_wrong_behind_it() {
        let part = |text: Vec<u8>| Ok::<Bytes, std::io::Error>(text.into());
        let long = || part(vec![b'x'; 1 << 20]);
        let cut = || Err(std::io::Error::other("it went away"));
        let too_long: Vec<_> = [part(b"one\n\n".to_vec())].into_iter().chain((0..33).map(|_| long())).collect();
        for (parts, status) in [(too_long, 413), (vec![part(b"one\n\ntw".to_vec()), cut()], 400)] {
            let mut lines = Lines::new(Body::from_stream(futures_util::stream::iter(parts)));
            assert_eq!(lines.next().await.unwrap(), [(1, Bytes::from_static(b"one\n"))]);
            assert_eq!(lines.next().await.unwrap_err().status, status);
            assert_eq!(lines.number(), 2, "the third is the wrong one");
        }
    }
}

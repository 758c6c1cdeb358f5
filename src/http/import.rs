//! Complete records from elsewhere: lines that come as long as somebody sends them, each checked, kept and answered.

use super::body::{Asked, REQUEST, Room, room};
use super::lines::{Lines, NDJSON, failed, parsed, told};
use super::problem::problem;
use crate::api::{self, Problem};
use crate::daemon::{Handle, Imported};
use crate::display::hex;
use crate::proto::gossip::{Gossip, Guid, Kind};
use crate::proto::time::Timestamp;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use std::io;

/// Keeps records that were created elsewhere, after their GUIDs and SHA-256 were checked. Answers while they come, so read
/// the answers while you send. Peers get what they lack of them as of any others.
#[cfg_attr(test, utoipa::path(post, path = "/gossip/import", tag = "gossip", params(api::NetworkQuery), request_body(
    content = api::Exported, content_type = "application/x-ndjson", description = "one a line",
), responses(super::described::Outcomes, super::described::Problems)))]
pub(super) async fn import(
    State(handle): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
    request: Request,
) -> Result<Response, Problem> {
    // A wrong network is told at once, but not to who still sends: he would take it for a connection that broke.
    if let Err(refusal) = handle.network(query.network.as_deref()) {
        let mut rest = request.into_body().into_data_stream();
        let _ = tokio::time::timeout(REQUEST, async { while let Some(Ok(_)) = rest.next().await {} }).await;
        return Err(refusal.into());
    }
    // One line may be as long as this, however many come.
    let room = room(request.body().size_hint(), &handle, api::LONGEST_JSON).await?;
    let lines = Lines::new(request.into_body());
    let import = Import { handle, network: query.network, lines, ended: false, _room: room };
    let outcomes = unfold(import, |mut import| async {
        let outcomes = import.next().await?;
        Some((Ok::<Bytes, io::Error>(told(&outcomes)), import))
    });
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(outcomes)).into_response())
}

struct Import {
    handle: Handle,
    network: Option<String>,
    lines: Lines,
    ended: bool,
    _room: Room,
}

impl Import {
    /// What became of the next lines.
    async fn next(&mut self) -> Option<Vec<api::Outcome>> {
        if self.ended {
            return None;
        }
        let lines = match self.lines.next().await {
            Ok(lines) if lines.is_empty() => return None,
            Ok(lines) => lines,
            // The line behind the last one was not read.
            Err(problem) => return Some(self.end([self.lines.number() + 1], &problem)),
        };
        let numbers: Vec<u64> = lines.iter().map(|(at, _)| *at).collect();
        let checked = move || lines.into_iter().map(|(at, line)| (at, record(&line))).collect::<Vec<_>>();
        let Ok(checked) = tokio::task::spawn_blocking(checked).await else {
            return Some(
                self.end(numbers, &problem(StatusCode::INTERNAL_SERVER_ERROR, "the check of a record failed")),
            );
        };
        let records = checked.iter().filter_map(|(_, record)| record.clone().ok()).collect();
        let imported = match self.handle.import(self.network.as_deref(), records).await {
            Ok(imported) => imported,
            Err(refusal) => return Some(self.end(numbers, &refusal.into())),
        };
        let mut imported = imported.into_iter();
        let outcome = |(line, record): (u64, Result<Gossip, String>)| {
            let gossip = match record {
                Ok(gossip) => gossip,
                Err(why) => return failed(line, &problem(StatusCode::BAD_REQUEST, why)),
            };
            let (status, detail) = match imported.next() {
                Some(Imported::New) => (201, None),
                Some(Imported::Known) => (200, None),
                Some(Imported::Left) => {
                    (410, Some("it left this network: too old, or of a node that was forgotten".to_owned()))
                }
                Some(Imported::Refused) | None => (503, Some("the disk did not take it".to_owned())),
            };
            api::Outcome { line, status, guid: Some(gossip.guid().to_string()), detail }
        };
        Some(checked.into_iter().map(outcome).collect())
    }

    /// Nothing came of these lines, and nothing is read behind them.
    fn end(&mut self, lines: impl IntoIterator<Item = u64>, why: &Problem) -> Vec<api::Outcome> {
        self.ended = true;
        lines.into_iter().map(|line| failed(line, why)).collect()
    }
}

/// A record, if it is what it says.
fn record(line: &[u8]) -> Result<Gossip, String> {
    let exported: api::Exported = parsed(line)?;
    let msg = match (exported.msg, exported.msg_base64) {
        (Some(msg), None) => Bytes::from(msg),
        (None, Some(base64)) => Base64::decode_vec(&base64).map_err(|error| format!("msg_base64: {error}"))?.into(),
        _ => return Err("a record has msg or msg_base64".to_owned()),
    };
    let date = exported.date_time.parse::<jiff::Timestamp>();
    let date = date.ok().and_then(|date| u64::try_from(date.as_microsecond()).ok());
    let date = date.ok_or_else(|| format!("date_time: {:?} is no RFC 3339 time since 1970", exported.date_time))?;
    let guid = |name: &str, text: &str| text.parse::<Guid>().map_err(|_| format!("{name}: {text:?} is no GUID"));
    let (named, origin) = (guid("guid", &exported.guid)?, guid("origin", &exported.origin)?);
    let kind = match exported.kind {
        api::Kind::Message => Kind::Message,
        api::Kind::Forget => Kind::Forget,
        api::Kind::Settings => Kind::Settings,
    };
    let gossip = Gossip::make(kind, Timestamp(date), origin, &*exported.who_name, msg);
    let gossip = gossip.map_err(|invalid| invalid.to_string())?;
    let sha2 = hex(gossip.head().sha2());
    if sha2 != exported.sha2 || gossip.head().len() as u64 != exported.len {
        return Err(format!("its MSG has {} bytes and the SHA-256 {sha2}", gossip.head().len()));
    }
    if gossip.guid() != named {
        return Err(format!("what it says has the GUID {}: something of it was changed", gossip.guid()));
    }
    Ok(gossip)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"guid":"43c54ed2-0173-8495-93c7-8a8c49826092","kind":"message","date_time":"1970-01-01T00:00:00.000001Z","origin":"07070707-0707-0707-0707-070707070707","who_name":"dove","sha2":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","len":5,"msg":"hello"}"#;

    #[test]
    fn a_record_is_taken_if_it_is_what_it_says() {
        let gossip = record(HELLO.as_bytes()).unwrap();
        assert_eq!((gossip.msg().as_ref(), gossip.head().who_name()), (&b"hello"[..], "dove"));
        let base64 = HELLO.replace(r#""msg":"hello""#, r#""msg_base64":"aGVsbG8=""#);
        assert_eq!(record(base64.as_bytes()).unwrap(), gossip);
        for (from, to, why) in [
            ("hello\"", "hallo\"", "SHA-256"),
            ("\"len\":5", "\"len\":6", "5 bytes"),
            ("dove", "hawk", "changed"),
            ("00001Z", "00002Z", "changed"),
            ("43c5", "53c5", "changed"),
            ("message", "forget", "does not say what a record of its kind does"),
            ("message", "poem", "kind"),
            ("1970", "1969", "since 1970"),
            ("\"len\":5", "\"len\":5,\"more\":1", "more"),
            ("\"msg\":\"hello\"", "\"msg\":null", "msg or msg_base64"),
            ("\"msg\":\"hello\"", "\"msg_base64\":\"???\"", "msg_base64"),
            ("}", "} {}", "trailing"),
        ] {
            let changed = HELLO.replace(from, to);
            assert_ne!(changed, HELLO, "{from}");
            let error = record(changed.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{from} to {to}: {error}");
        }
    }
}

//! Records by the page and by the batch: for what moves many of them.

use super::{Client, ClientError, PATIENCE, encoded, parsed};
use crate::api;
use bytes::Bytes;
use hyper::Method;

impl Client {
    /// A page of records that match, and the cursor of the next, if there may be one.
    pub async fn page(&self, query: api::ListQuery) -> Result<(Vec<api::Gossip>, Option<String>), ClientError> {
        let query = self.list_query(query);
        let (headers, body) = self.answer(Method::GET, "/gossip", &query, "", Bytes::new(), PATIENCE).await?;
        let cursor = headers.get("gossip-cursor").and_then(|cursor| cursor.to_str().ok()).map(str::to_owned);
        Ok((parsed(&body)?, cursor))
    }

    /// Has the daemon keep complete records, one a line of JSON: what became of each line.
    pub async fn import(&self, lines: Bytes) -> Result<Vec<api::Outcome>, ClientError> {
        self.lines("/gossip/import", lines).await
    }

    /// Says many things, all in one commit: what became of each.
    pub async fn batch(&self, drafts: &[api::Draft]) -> Result<Vec<api::Outcome>, ClientError> {
        let mut lines = Vec::new();
        for draft in drafts {
            serde_json::to_writer(&mut lines, draft).expect("plain data becomes JSON");
            lines.push(b'\n');
        }
        self.lines("/gossip/batch", lines.into()).await
    }

    /// What becomes of each of some lines.
    async fn lines(&self, path: &str, lines: Bytes) -> Result<Vec<api::Outcome>, ClientError> {
        let query = self.network_query();
        let body = self.call(Method::POST, path, &query, "application/x-ndjson", lines, PATIENCE).await?;
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // Once more, to say where it is wrong.
        lines.map(|line| serde_json::from_slice(line).or_else(|_| parsed(line))).collect()
    }

    /// Which peers are known to hold a record, after all were asked.
    pub async fn holders(&self, guid: &str) -> Result<api::Holders, ClientError> {
        self.ask(&format!("/gossip/{}/holders", encoded(guid)), &self.network_query(), PATIENCE).await
    }
}

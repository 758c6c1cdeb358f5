//! Calls about a daemon as such: its configuration read again, its log made louder.

use super::{Client, ClientError, PATIENCE};
use crate::api;
use hyper::Method;

impl Client {
    /// Has the daemon read `server.json` again.
    pub async fn reload(&self) -> Result<api::Reloaded, ClientError> {
        self.bare(Method::POST, "/reload", &[], PATIENCE).await
    }

    /// What the log shows.
    pub async fn log_level(&self) -> Result<api::LogLevel, ClientError> {
        self.ask("/log/level", &[], PATIENCE).await
    }

    /// What the log is to show; nothing: as it is configured.
    pub async fn set_log_level(&self, level: Option<String>) -> Result<api::LogLevel, ClientError> {
        self.send(Method::PUT, "/log/level", &[], &api::LogLevelChange { level }, PATIENCE).await
    }
}

//! What holds of all that can be set, and where it comes from.

use super::handle::Handle;
use crate::api;
use serde_json::Value;

/// Says what to log.
const LOG: &str = "GOSSIP_NODE_LOG";

impl Handle {
    /// All settings as they hold; secrets are not shown.
    pub fn settings(&self) -> api::Settings {
        let mut values: Vec<api::Setting> = (self.file.shown(&self.said).into_iter())
            .map(|shown| api::Setting {
                key: shown.key,
                value: shown.value,
                origin: shown.origin.to_owned(),
                restart: true,
            })
            .collect();
        let mut found = |key: &str, value: Option<Value>| {
            let holds = |setting: &&mut api::Setting| setting.key == key && Some(&setting.value) != value.as_ref();
            if let (Some(setting), Some(value)) = (values.iter_mut().find(holds), &value) {
                (setting.value, setting.origin) = (value.clone(), "runtime".to_owned());
            }
        };
        // What the system chose where it was left to it.
        found("port", (self.file.port == 0).then(|| self.addr.port().into()));
        found("http.listen", self.http.get().map(|addr| addr.to_string().into()));
        let log = std::env::var(LOG).ok();
        let origin = if log.is_some() { "environment" } else { "default" }.to_owned();
        let value = Value::String(log.unwrap_or_else(|| "info".to_owned()));
        values.push(api::Setting { key: "log".to_owned(), value, origin, restart: true });
        api::Settings { values }
    }
}

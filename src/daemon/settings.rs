//! What holds of all that can be set, and where it comes from.

use super::Loudness;
use super::handle::Handle;
use crate::api;
use crate::config::needs_restart;
use serde_json::Value;

const LOG: &str = "log";

impl Handle {
    /// All settings as they hold; secrets are not shown.
    pub fn settings(&self) -> api::Settings {
        let in_force = self.in_force.loaded();
        let mut values: Vec<api::Setting> = (in_force.file.shown(&in_force.said).into_iter())
            .filter(|shown| shown.key != LOG)
            .map(|shown| api::Setting {
                restart: needs_restart(&shown.key),
                key: shown.key,
                value: shown.value,
                origin: shown.origin.to_owned(),
            })
            .collect();
        let mut found = |key: &str, value: Option<Value>| {
            let holds = |setting: &&mut api::Setting| setting.key == key && Some(&setting.value) != value.as_ref();
            if let (Some(setting), Some(value)) = (values.iter_mut().find(holds), &value) {
                (setting.value, setting.origin) = (value.clone(), "runtime".to_owned());
            }
        };
        // What the system chose where it was left to it.
        found("port", (in_force.file.port == 0).then(|| self.addr.port().into()));
        found("http.listen", self.http.get().map(|addr| addr.to_string().into()));
        let api::LogLevel { level, origin } = Loudness::of_process().level();
        values.push(api::Setting { key: LOG.to_owned(), value: level.into(), origin, restart: needs_restart(LOG) });
        api::Settings { values }
    }
}

//! [`Loudness`]: what the process's log shows, and who said so. Whoever sets up logging takes its word; where nobody did,
//! there is no log to be louder.

use super::refusal::Refusal;
use crate::api;
use crate::config::LogFilter;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing::level_filters::LevelFilter;

/// What has a filter put in force.
type Apply = Box<dyn Fn(&LogFilter) + Send>;

/// See the module. What was said at run time holds until the configuration is read again; the environment's word goes
/// before the file's.
#[derive(Default)]
pub struct Loudness {
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    apply: Option<Apply>,
    default: Option<LogFilter>,
    environment: Option<LogFilter>,
    file: Option<LogFilter>,
    runtime: Option<LogFilter>,
}

static LOUDNESS: Loudness =
    Loudness { said: Mutex::new(Said { apply: None, default: None, environment: None, file: None, runtime: None }) };

impl fmt::Debug for Loudness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loudness").finish_non_exhaustive()
    }
}

impl Loudness {
    /// This process's.
    pub fn of_process() -> &'static Loudness {
        &LOUDNESS
    }

    /// From here on `apply` is told of every change. It must not log.
    pub fn set_up(&self, default: LogFilter, environment: Option<LogFilter>, apply: Apply) {
        let mut said = self.said();
        (said.default, said.environment, said.apply) = (Some(default), environment, Some(apply));
        said.put_in_force();
    }

    /// `server.json` was read. What was said at run time is over.
    pub fn configure(&self, file: Option<&LogFilter>) {
        let mut said = self.said();
        (said.file, said.runtime) = (file.cloned(), None);
        said.put_in_force();
    }

    /// Whether the environment's word goes before the file's.
    pub fn is_of_environment(&self) -> bool {
        self.said().environment.is_some()
    }

    /// Somebody says it at run time; nothing: as it was configured.
    pub fn tell(&self, filter: Option<LogFilter>) -> Result<api::LogLevel, Refusal> {
        let mut said = self.said();
        if said.apply.is_none() {
            return Err(Refusal::Conflict("this process has no log of its own whose level could be set".to_owned()));
        }
        said.runtime = filter;
        said.put_in_force();
        Ok(said.level())
    }

    /// What holds.
    pub fn level(&self) -> api::LogLevel {
        self.said().level()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Each change to it is complete when it is made.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn holds(&self) -> (LogFilter, &'static str) {
        let default = || self.default.clone().unwrap_or(LogFilter::all(LevelFilter::INFO));
        let by = |filter: &Option<LogFilter>, origin| filter.clone().map(|filter| (filter, origin));
        let configured = || by(&self.environment, "environment").or_else(|| by(&self.file, "file"));
        by(&self.runtime, "runtime").or_else(configured).unwrap_or_else(|| (default(), "default"))
    }

    fn put_in_force(&self) {
        if let Some(apply) = &self.apply {
            apply(&self.holds().0);
        }
    }

    fn level(&self) -> api::LogLevel {
        let (filter, origin) = self.holds();
        api::LogLevel { level: filter.to_string(), origin: origin.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_is_said_later_or_nearer_holds() {
        let (loudness, heard) = (Loudness::default(), Arc::new(Mutex::new(String::new())));
        assert!(matches!(loudness.tell(None), Err(Refusal::Conflict(_))), "there is no log");
        let filter = |text: &str| -> LogFilter { text.parse().unwrap() };
        let heard_by = heard.clone();
        let apply = move |filter: &LogFilter| *heard_by.lock().unwrap() = filter.to_string();
        loudness.set_up(filter("warn"), None, Box::new(apply));
        let holds = |level: &str, origin: &str| {
            let now = loudness.level();
            assert_eq!((now.level.as_str(), now.origin.as_str()), (level, origin));
            assert_eq!(*heard.lock().unwrap(), level);
        };
        holds("warn", "default");
        loudness.configure(Some(&filter("debug")));
        holds("debug", "file");
        loudness.tell(Some(filter("trace"))).unwrap();
        holds("trace", "runtime");
        loudness.tell(None).unwrap();
        holds("debug", "file");
        loudness.tell(Some(filter("trace"))).unwrap();
        loudness.configure(None);
        holds("warn", "default");
        loudness.set_up(filter("warn"), Some(filter("error")), Box::new(|_| ()));
        loudness.configure(Some(&filter("debug")));
        assert_eq!((loudness.level().level.as_str(), loudness.is_of_environment()), ("error", true));
    }
}

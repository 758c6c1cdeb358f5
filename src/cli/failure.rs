//! [`Failure`]: how a command ends badly. It says what, why and what to do, and carries the exit code, which scripts read.

use super::paint::Paint;
use super::typed::typed;
use crate::client::ClientError;
use crate::config::ConfigError;
use crate::display::{display_line, display_safe, json_safe};
use std::io;
use std::path::Path;

/// What the program's exit code says. Part of the contract with scripts: never change a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// What was asked is not so, or something broke.
    No = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No daemon answers.
    NoDaemon = 3,
    /// It was understood and refused.
    Refused = 4,
    /// There is no such thing.
    NotFound = 5,
    /// Not in time.
    Timeout = 6,
    /// `server.json` is wrong. The number is `EX_CONFIG` of sysexits.h.
    Config = 78,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    what: String,
    why: Option<(&'static str, String)>,
    hint: Option<String>,
    status: Option<u16>,
    silent: bool,
}

impl Failure {
    /// Something that went wrong, in one line.
    pub fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure { code: exit as u8, what: what.into(), why: None, hint: None, status: None, silent: false }
    }

    /// With its reason.
    pub fn why(self, why: impl Into<String>) -> Failure {
        Failure { why: Some(("why", why.into())), ..self }
    }

    /// With what was tried.
    pub fn tried(self, tried: impl Into<String>) -> Failure {
        Failure { why: Some(("tried", tried.into())), ..self }
    }

    /// With what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// One about which all has been said already.
    pub fn silent(exit: Exit) -> Failure {
        Failure { silent: true, ..Failure::new(exit, "") }
    }

    /// With another exit code.
    pub fn exit(self, exit: Exit) -> Failure {
        Failure { code: exit as u8, ..self }
    }

    /// A signal came before the work was done; the exit code is 128 and its number.
    pub fn interrupted(code: u8) -> Failure {
        Failure { code, ..Failure::new(Exit::No, "interrupted") }
    }

    /// What a call to the daemon of `home` came to.
    pub fn of_call(error: ClientError, home: &Path) -> Failure {
        let what = error.to_string();
        match error {
            ClientError::NoDaemon { socket, source } => {
                let run = typed(home, None, &["run"]);
                let hint = match home.join("server.json").exists() {
                    true => format!("start it: {run}"),
                    false => format!("make it: {}; then start it: {run}", typed(home, None, &["init"])),
                };
                Failure::new(Exit::NoDaemon, format!("no gossip-node is running in {}", home.display()))
                    .tried(format!("{} ({source})", socket.display()))
                    .hint(hint)
            }
            ClientError::Forbidden { socket } => {
                Failure::new(Exit::Refused, format!("no permission to use {}", socket.display()))
                    .why("only the user who runs the daemon may control it")
                    .hint("become that user, or name your own home with --home")
            }
            ClientError::Refused(problem) => {
                let exit = match problem.status {
                    400 | 405 | 415 => Exit::Usage,
                    404 => Exit::NotFound,
                    504 => Exit::Timeout,
                    500 => Exit::No,
                    _ => Exit::Refused,
                };
                let failure = Failure::new(exit, problem.title).why(problem.detail);
                Failure { hint: problem.hint, status: Some(problem.status), ..failure }
            }
            ClientError::Silent(_) => Failure::new(Exit::Timeout, what).hint("is it stopped, or its disk stuck?"),
            ClientError::Broken(_) => Failure::new(Exit::NoDaemon, what).hint("its log says why"),
            ClientError::Garbled(_) => {
                Failure::new(Exit::No, what).hint("are program and daemon of the same version? Restart the daemon")
            }
        }
    }

    /// Tells standard error, and gives the exit code. A standard error that is closed is nobody to tell.
    pub fn report(&self, json: bool, paint: Paint) -> u8 {
        if !self.silent {
            let text = if json { self.as_json() } else { self.as_text(paint) };
            let _ = io::Write::write_all(&mut io::stderr().lock(), text.as_bytes());
        }
        self.code
    }

    fn as_text(&self, paint: Paint) -> String {
        let mut text = format!("{} {}\n", paint.bad("error:"), display_safe(&self.what));
        if let Some((label, why)) = &self.why {
            text.push_str(&format!("{label:>7}: {}\n", display_line(why)));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("{:>7}: {}\n", "hint", display_line(hint)));
        }
        text
    }

    fn as_json(&self) -> String {
        let value = serde_json::json!({
            "status": self.status,
            "title": self.what,
            "detail": self.why.as_ref().map(|(_, why)| why),
            "hint": self.hint,
            "exit_code": self.code,
        });
        format!("{}\n", json_safe(&value.to_string()))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::new(Exit::Config, error.to_string())
    }
}

impl From<dialoguer::Error> for Failure {
    fn from(error: dialoguer::Error) -> Failure {
        Failure::new(Exit::No, format!("the dialogue ended: {}", io::Error::from(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Problem;

    #[test]
    fn it_says_what_why_and_what_to_do() {
        let failure = Failure::new(Exit::No, "it broke").why("it was\nold\u{1b}[2J").hint("mend it");
        assert_eq!(
            failure.as_text(Paint::never()),
            "error: it broke\n    why: it was old\\u{1b}[2J\n   hint: mend it\n"
        );
        let json: serde_json::Value = serde_json::from_str(&failure.as_json()).unwrap();
        assert_eq!(json["exit_code"], 1);
        assert_eq!(json["status"], serde_json::Value::Null);
    }

    #[test]
    fn a_problem_becomes_its_exit_code() {
        for (status, exit) in [
            (400, Exit::Usage),
            (404, Exit::NotFound),
            (413, Exit::Refused),
            (503, Exit::Refused),
            (504, Exit::Timeout),
        ] {
            let problem = Problem { status, title: "t".into(), detail: "d".into(), hint: None };
            assert_eq!(Failure::of_call(ClientError::Refused(problem), Path::new("/h")).code, exit as u8);
        }
    }
}

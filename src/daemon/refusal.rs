//! [`Refusal`]: what the daemon says no to.

use crate::store::StoreError;

/// See the module.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such record or network.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It does not go with how things are.
    #[error("{0}")]
    Conflict(String),
    /// It is in use still.
    #[error("{0}")]
    InUse(String),
    /// The same name was given to another request.
    #[error("{0}")]
    Different(String),
    /// Not in time.
    #[error("{0}")]
    Timeout(String),
    /// The disk refuses, or the daemon is stopping.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let what_to_do = if error.is_damage() {
            ": what is whole is being saved, the rest comes from peers; try again in a moment"
        } else {
            ""
        };
        Refusal::Unavailable(format!("{error}{what_to_do}"))
    }
}

pub(super) fn stopping() -> Refusal {
    Refusal::Unavailable("the daemon is stopping".to_owned())
}

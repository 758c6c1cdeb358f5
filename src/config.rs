//! ServerFile and Home (being written)
#![allow(missing_docs)]
/// A home directory.
#[derive(Clone, Debug)]
pub struct Home {}
/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("todo")]
pub struct ConfigError;

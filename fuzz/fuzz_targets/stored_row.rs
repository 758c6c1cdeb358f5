//! Rows of the store that somebody wrote over.
#![no_main]

#[path = "../../tests/common/properties.rs"]
#[allow(dead_code, reason = "each target searches against one of the properties")]
mod properties;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ROWS: LazyLock<properties::Rows> = LazyLock::new(properties::Rows::new);

fuzz_target!(|bytes: &[u8]| ROWS.hold(bytes));

//! Whole sequences of well sealed messages, commands, failures and time, into one node.
#![no_main]

#[path = "../../tests/common/properties.rs"]
#[allow(dead_code, reason = "each target searches against one of the properties")]
mod properties;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| properties::sequence(bytes));

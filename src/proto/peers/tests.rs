//! Tests of the parts of `Peers`, by hand.

//! The system's randomness, for what is drawn once: GUIDs, passphrases, the keys of temporary networks.

use super::failure::{Exit, Failure};
use rand::TryRng;

/// So many bytes of it.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Failure::new(Exit::No, format!("the system gives no randomness: {error}")))?;
    Ok(bytes)
}

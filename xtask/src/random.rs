//! Secrets that are made for one run.

use anyhow::Result;

/// 32 hexadecimal digits that nobody can guess.
///
/// # Errors
/// When the system has no random numbers.
pub fn hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

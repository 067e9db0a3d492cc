//! The checksums by which tools notice that a file changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha384};

/// How a checksum is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Algorithm {
    /// SHA-256 of the file.
    #[default]
    Sha256,
    /// SHA-384 of the file.
    Sha384,
    /// CRC-32 of the lines without their ends, signed, as Flyway has it.
    Crc32Lines,
}

/// The checksums of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Sums {
    /// As it is, and with the line ends of other systems: Git changes them, and Prisma does not mind.
    sha256: Vec<String>,
    sha384: String,
    crc32: i32,
}

impl Sums {
    pub(super) fn of(content: &[u8]) -> Self {
        let mut sha256 = vec![hex(&Sha256::digest(content))];
        if let Ok(text) = std::str::from_utf8(content) {
            let unix = text.replace("\r\n", "\n");
            for other in [unix.replace('\n', "\r\n"), unix] {
                let sum = hex(&Sha256::digest(other.as_bytes()));
                if !sha256.contains(&sum) {
                    sha256.push(sum);
                }
            }
        }
        Self { sha256, sha384: hex(&Sha384::digest(content)), crc32: of_lines(content) }
    }

    /// Whether a sum that a tool wrote down is of this file.
    pub(super) fn has(&self, algorithm: Algorithm, sum: &str) -> bool {
        match algorithm {
            Algorithm::Sha256 => self.sha256.iter().any(|own| own.eq_ignore_ascii_case(sum)),
            Algorithm::Sha384 => self.sha384.eq_ignore_ascii_case(sum),
            Algorithm::Crc32Lines => sum.parse() == Ok(self.crc32),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As Flyway's `ChecksumCalculator` does: line by line, as Java's `readLine` tells them, without a byte order mark.
fn of_lines(content: &[u8]) -> i32 {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let sum = content.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')).fold(u32::MAX, |sum, byte| {
        // IEEE 802.3, the polynomial reversed; eight steps a byte are fast enough for what people write.
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    });
    (!sum).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_tools() {
        let sums = Sums::of(b"abc");
        // `sha256sum`, `sha384sum`.
        assert!(sums.has(Algorithm::Sha256, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
        let sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7";
        assert!(sums.has(Algorithm::Sha384, sha384));
        // The check value of CRC-32/ISO-HDLC, 0xcbf43926, as Java's `int`.
        assert_eq!(of_lines(b"123456789"), -873_187_034);
        assert!(!sums.has(Algorithm::Crc32Lines, "no number"));
    }

    #[test]
    fn line_ends_are_no_change_where_the_tool_does_not_mind() {
        let (unix, windows) = (Sums::of(b"a\nb\n"), Sums::of(b"a\r\nb\r\n"));
        assert!(windows.has(Algorithm::Sha256, &unix.sha256[0]) && unix.has(Algorithm::Sha256, &windows.sha256[0]));
        assert_eq!(unix.crc32, windows.crc32);
        assert!(!windows.has(Algorithm::Sha384, &unix.sha384));
        assert_eq!(of_lines(b"\xef\xbb\xbfa\rb"), of_lines(b"ab"));
    }
}

//! A greeting in an old version of TLS, to see whether it is taken. No library speaks these any more, and a handshake is
//! not gone through with: the server's first word tells.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// What may be agreed on at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    Tls11,
    Tls12,
}

/// The server's first word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Word {
    /// It takes the greeting, in this version.
    Accepted { version: String },
    /// It refuses; by which alert, if it says so much.
    Refused { alert: Option<u8> },
    /// It says nothing that could be told.
    Silent { why: String },
}

/// The alert of a server that does not speak a version (RFC 5246, 7.2.2).
pub(crate) const PROTOCOL_VERSION: u8 = 70;

/// Connects, and greets.
pub(crate) async fn greet(target: &(String, u16), name: &str, newest: Newest, patience: Duration) -> Word {
    let talk = async {
        let mut stream = TcpStream::connect((target.0.as_str(), target.1)).await?;
        talk(&mut stream, name, newest).await
    };
    match timeout(patience, talk).await {
        Ok(Ok(word)) => word,
        Ok(Err(error)) => Word::Silent { why: error.to_string() },
        Err(_) => Word::Silent { why: format!("no answer within {} s", patience.as_secs_f64()) },
    }
}

/// Greets over a connection that is there.
///
/// # Errors
/// When it breaks, in another way than by a reset, which is a refusal.
pub(crate) async fn talk(stream: &mut TcpStream, name: &str, newest: Newest) -> io::Result<Word> {
    let exchange = async {
        stream.write_all(&hello(name, newest)).await?;
        let mut said = Vec::new();
        // A record's head is 5 bytes; the beginning of a greeting has the version in the 6 after that.
        while said.len() < 11 && !is_alert(&said) {
            if stream.read_buf(&mut said).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(said)
    };
    match exchange.await {
        Ok(said) => Ok(word(&said)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Word::Refused { alert: None }),
        Err(error) => Err(error),
    }
}

fn is_alert(said: &[u8]) -> bool {
    said.first() == Some(&21) && said.len() >= 7
}

fn word(said: &[u8]) -> Word {
    match said {
        [] => Word::Refused { alert: None },
        [21, _, _, _, _, _, alert, ..] => Word::Refused { alert: Some(*alert) },
        [22, _, _, _, _, 2, _, _, _, major, minor, ..] => Word::Accepted { version: version(*major, *minor) },
        _ => Word::Silent { why: "it answered something that is no TLS".to_owned() },
    }
}

fn version(major: u8, minor: u8) -> String {
    match (major, minor) {
        (3, 0) => "SSL 3.0".to_owned(),
        (3, minor @ 1..=4) => format!("TLS 1.{}", minor - 1),
        _ => format!("version {major}.{minor}"),
    }
}

/// A greeting as RFC 4346 and RFC 5246 have it (7.4.1.2), with everything that servers of that time understood.
fn hello(name: &str, newest: Newest) -> Vec<u8> {
    let minor = if newest == Newest::Tls11 { 2 } else { 3 };
    // ECDHE and RSA, AES with CBC; of TLS 1.2, GCM and ChaCha20 too.
    let mut suites: Vec<u16> = vec![0xc009, 0xc00a, 0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035, 0x000a];
    // P-256, P-384, X25519.
    let groups = list16(&[0x0017, 0x0018, 0x001d]);
    let mut extensions = Vec::new();
    // An address is no name, and is not sent (RFC 6066, 3).
    if name.parse::<std::net::IpAddr>().is_err() && !name.starts_with('[') {
        let host = [&[0][..], &sized16(name.as_bytes())].concat();
        extensions.extend(extension(0, &sized16(&host)));
    }
    extensions.extend(extension(10, &groups));
    // Uncompressed points.
    extensions.extend(extension(11, &[1, 0]));
    if newest == Newest::Tls12 {
        suites.splice(0..0, [0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca9, 0xcca8]);
        // ECDSA, RSA-PSS and RSA, with SHA-256 to SHA-512.
        let signatures = [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];
        extensions.extend(extension(13, &list16(&signatures)));
    }
    let mut body = vec![3, minor];
    // Nothing is kept secret by it.
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend(list16(&suites));
    body.extend([1, 0]);
    body.extend(sized16(&extensions));
    let mut handshake = vec![1, 0];
    handshake.extend(sized16(&body));
    // The record's own version is that of TLS 1.0, whatever is offered: older servers refuse others.
    let mut record = vec![22, 3, 1];
    record.extend(sized16(&handshake));
    record
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized16(body)].concat()
}

fn list16(values: &[u16]) -> Vec<u8> {
    sized16(&values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<_>>())
}

fn sized16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a server makes of the greeting that says this.
    async fn said(answer: &'static [u8]) -> Word {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut greeting = vec![0; hello("a.example", Newest::Tls11).len()];
            stream.read_exact(&mut greeting).await.unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let target = ("127.0.0.1".to_owned(), port);
        tokio::join!(greet(&target, "a.example", Newest::Tls11, Duration::from_secs(5)), server).0
    }

    #[tokio::test]
    async fn the_first_word_tells() {
        assert_eq!(said(&[21, 3, 1, 0, 2, 2, 70]).await, Word::Refused { alert: Some(PROTOCOL_VERSION) });
        assert_eq!(said(b"").await, Word::Refused { alert: None });
        let hello = &[22, 3, 2, 0, 80, 2, 0, 0, 76, 3, 2, 0, 0];
        assert_eq!(said(hello).await, Word::Accepted { version: "TLS 1.1".to_owned() });
        assert!(matches!(said(b"HTTP/1.1 400 Bad Request\r\n").await, Word::Silent { .. }));
    }

    #[test]
    fn a_greeting_is_as_long_as_it_says() {
        for (name, newest) in [("a.example", Newest::Tls11), ("a.example", Newest::Tls12), ("127.0.0.1", Newest::Tls11)]
        {
            let hello = hello(name, newest);
            let length = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
            assert_eq!((length(3) + 5, length(7) + 9), (hello.len(), hello.len()));
            assert_eq!(hello.windows(9).any(|window| window == b"a.example"), name == "a.example");
        }
    }
}

//! The smallest client: what a test asks of a service beside the gate, with none of the gate's code.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, as text.
    pub body: String,
}

/// Asks for a path of a service that speaks plain HTTP.
///
/// # Errors
/// When there is no answer in HTTP.
pub fn get(url: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    let host = url.strip_prefix("http://").ok_or_else(|| io::Error::other(format!("`{url}` is not plain HTTP")))?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("half an answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or_else(|| io::Error::other("no status"))?, body: body.to_owned() })
}

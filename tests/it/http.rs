//! A plain HTTP/1.1 client: one request, one connection, and nothing that hides what was answered.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use flate2::bufread::GzDecoder;

/// Longer than any answer may take: a test that comes here hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// What the body says, unzipped where it came zipped.
    pub body: String,
    /// How long the body was as it came.
    pub sent: usize,
}

impl Answer {
    /// The one header of this name, whatever the case of its letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} came twice");
        value
    }
}

/// Opens a connection and sends a request, whose answer can be read from it.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<TcpStream> {
    let mut stream = connect(address)?;
    let headers = [headers, &[("Connection", "close")]].concat();
    stream.write_all(request(method, path, &headers).as_bytes())?;
    Ok(stream)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request + "\r\n"
}

/// A connection that is kept for one request after the other.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn to(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(BufReader::new(connect(address)?)))
    }

    /// Sends a GET and reads its answer, whose length has to be told.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
        let request = request("GET", path, headers);
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(odd("no whole head"));
            }
        }
        let answer = answer(&head, &[])?;
        let length = answer.header("content-length").map(str::parse);
        let Some(Ok(length)) = length else {
            return Err(odd("no length"));
        };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        self::answer(&head, &body)
    }
}

/// Reads an answer to the end of its connection.
pub fn receive(mut stream: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.ok_or_else(|| odd("no whole head"))?);
    answer(&text(head.to_vec())?, body.get(4..).unwrap_or_default())
}

fn answer(head: &str, body: &[u8]) -> io::Result<Answer> {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let mut answer = Answer {
        status: status.ok_or_else(|| odd("no status"))?,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: String::new(),
        sent: body.len(),
    };
    let chunked = answer.header("transfer-encoding") == Some("chunked");
    let body = if chunked {
        joined(body)?
    } else {
        body.to_vec()
    };
    answer.body = match answer.header("content-encoding") {
        Some("gzip") => text(unzipped(&body)?)?,
        _ => text(body)?,
    };
    Ok(answer)
}

/// What came in chunks, of which the last is empty.
fn joined(mut body: &[u8]) -> io::Result<Vec<u8>> {
    let mut joined = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n");
        let (size, rest) = body.split_at(end.ok_or_else(|| odd("no size of a chunk"))?);
        let size = std::str::from_utf8(size).map(|size| usize::from_str_radix(size, 16));
        let Ok(Ok(size)) = size else {
            return Err(odd("a chunk without a size"));
        };
        let Some(chunk) = rest.get(2..2 + size) else {
            return Err(odd("no whole chunk"));
        };
        if size == 0 {
            return Ok(joined);
        }
        joined.extend_from_slice(chunk);
        body = rest.get(4 + size..).unwrap_or_default();
    }
}

/// What is in exactly one member of gzip.
fn unzipped(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (mut unzipped, mut decoder) = (Vec::new(), GzDecoder::new(bytes));
    if !bytes.is_empty() {
        decoder.read_to_end(&mut unzipped)?;
    }
    match decoder.into_inner().is_empty() {
        true => Ok(unzipped),
        false => Err(odd("something after the end of the gzip stream")),
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| odd("not text"))
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Sends a request and reads its answer.
pub fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Answer> {
    receive(send(address, method, path, headers)?)
}

/// The answer to a GET, which must come.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, &[]).unwrap_or_else(|error| panic!("GET {path}: {error}"))
}

/// The answer to a POST of a form, which must come.
#[track_caller]
pub fn post_form(address: SocketAddr, path: &str, form: &str) -> Answer {
    let length = form.len().to_string();
    let headers = [
        ("Connection", "close"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", &length),
    ];
    let sent = || -> io::Result<Answer> {
        let mut stream = connect(address)?;
        stream.write_all((request("POST", path, &headers) + form).as_bytes())?;
        receive(stream)
    };
    sent().unwrap_or_else(|error| panic!("POST {path}: {error}"))
}

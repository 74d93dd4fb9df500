//! As much of an HTTP/1.1 server as the SDK needs, and the ways in which one can go wrong.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;

/// A request, taken apart.
pub struct Request {
    /// Of `x-amz-target`, behind the dot; empty where the protocol has none.
    pub operation: String,
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: &'static str,
    /// `x-amzn-query-error`, which old error codes travel in.
    pub query_error: Option<String>,
    pub body: String,
}

/// How a request ends.
pub enum Reply {
    Answer(Answer),
    /// The connection is closed without an answer.
    Reset,
}

/// Serves until the fake is dropped; a thread a connection.
pub fn serve(listener: TcpListener, shared: Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(&shared);
        std::thread::spawn(move || {
            // A client that goes away in the midst of a request is no fault of the server.
            let _ = connection(&stream, &shared);
            let _ = stream.shutdown(Shutdown::Both);
        });
    }
}

fn connection(stream: &TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        match super::answer(shared, &request) {
            Reply::Reset => return Ok(()),
            Reply::Answer(a) => write(stream, &a)?,
        }
        if shared.closing.load(Ordering::SeqCst) {
            return Ok(());
        }
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let (mut operation, mut length, mut lines) = (String::new(), 0, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() && lines > 0 {
            break;
        }
        lines += 1;
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(std::io::Error::other)?,
            "x-amz-target" => operation = value.rsplit('.').next().unwrap_or_default().trim().to_owned(),
            "transfer-encoding" => return Err(std::io::Error::other("chunked bodies are not understood here")),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { operation, body }))
}

fn write(mut stream: &TcpStream, a: &Answer) -> std::io::Result<()> {
    let error = a.query_error.as_ref().map_or_else(String::new, |e| format!("x-amzn-query-error: {e}\r\n"));
    let head = format!(
        "HTTP/1.1 {} Fake\r\ncontent-type: {}\r\nx-amzn-requestid: 00000000-fake\r\n{error}content-length: {}\r\n\r\n",
        a.status,
        a.kind,
        a.body.len()
    );
    stream.write_all(&[head.as_bytes(), a.body.as_bytes()].concat())
}

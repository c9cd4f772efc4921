//! A stream, with or without TLS, and what was read of it and not yet understood.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// TCP or TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection's two directions.
pub struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    /// What [`Wire::flush`] will write.
    pub output: Vec<u8>,
}

impl Wire {
    /// Connects; with TLS at once if wanted.
    ///
    /// # Errors
    /// If nobody listens, or the handshake fails.
    pub async fn connect(address: SocketAddr, tls: bool) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let this = Self { stream: Box::new(stream), input: BytesMut::new(), output: Vec::new() };
        if tls { this.secured().await } else { Ok(this) }
    }

    /// Goes on in TLS.
    ///
    /// # Errors
    /// If the handshake fails.
    pub async fn secured(self) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let stream = hob_tests::wire::tls().connect(name, self.stream).await?;
        Ok(Self { stream: Box::new(stream), input: BytesMut::new(), output: self.output })
    }

    /// Bytes that were read and not yet taken.
    pub fn seen(&self) -> &[u8] {
        &self.input
    }

    /// Drops the first bytes of what was seen.
    pub fn take(&mut self, bytes: usize) {
        self.input.advance(bytes);
    }

    /// Reads more.
    ///
    /// # Errors
    /// If the connection ends.
    pub async fn more(&mut self) -> io::Result<()> {
        self.input.reserve(16 << 10);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// If the connection broke.
    pub async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        self.stream.flush().await
    }
}

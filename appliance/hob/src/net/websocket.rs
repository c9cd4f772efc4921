//! WebSocket messages over a TLS stream, with no memory held while nothing is said.
//!
//! `tungstenite` parses and prints the frame headers (RFC 6455, section 5.2); what is ours is only where the bytes lie
//! in between. The ready-made message layers keep their largest buffer for the life of the connection: an idle device
//! that once sent 64 KiB would cost 147 KiB instead of 10.

use std::future::poll_fn;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::ready;

use bytes::{Bytes, BytesMut};
use hob_protocol::planted;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// What came over the socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A whole binary message.
    Binary(Bytes),
    /// A ping, to be answered with its payload.
    Ping(Bytes),
    /// The other side says goodbye, with the code to answer with.
    Goodbye(u16),
    /// The other side is gone.
    Closed,
}

/// The other side broke the protocol, or the connection broke.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A frame that RFC 6455 forbids.
    #[error("the WebSocket frame is not allowed: {why}")]
    Protocol {
        /// Which rule, by section of RFC 6455.
        why: &'static str,
    },
    /// A text message: frames are binary.
    #[error("a text message came where binary ones belong")]
    Text,
    /// A goodbye whose reason is no text.
    #[error("the reason of a goodbye is not UTF-8")]
    BadReason,
    /// A message larger than any frame.
    #[error("a message of {got_bytes} bytes came, more than {max_bytes}")]
    TooLarge {
        /// What its header says.
        got_bytes: u64,
        /// What is taken.
        max_bytes: usize,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
}

impl SocketError {
    /// The code to close with (RFC 6455, section 7.4.1).
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Protocol { .. } => CloseCode::Protocol.into(),
            Self::Text => CloseCode::Unsupported.into(),
            Self::BadReason => CloseCode::Invalid.into(),
            Self::TooLarge { .. } => CloseCode::Size.into(),
            Self::Io(_) => CloseCode::Abnormal.into(),
        }
    }
}

/// The server's end of a WebSocket.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    /// Bytes read and not yet parsed; without memory while there are none.
    input: BytesMut,
    /// The fragments of an unfinished message.
    fragments: Option<BytesMut>,
    /// The frame whose payload is being read.
    header: Option<(FrameHeader, usize)>,
    message_bytes_max: usize,
}

/// Read at once: enough for an envelope of the smallest size and its wrapping.
const READ_BYTES: usize = 4096;

/// What is read of one who was told goodbye: some of the largest messages.
const LINGER_BYTES_MAX: usize = 4 << 20;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over after the upgrade. `read_ahead` is what was read behind the request.
    pub fn new(stream: S, read_ahead: &[u8], message_bytes_max: usize) -> Self {
        Self { stream, input: BytesMut::from(read_ahead), fragments: None, header: None, message_bytes_max }
    }

    /// The next message. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// [`SocketError`]; the connection is to be closed after any.
    pub async fn next(&mut self) -> Result<Message, SocketError> {
        loop {
            if let Some(message) = self.parse()? {
                return Ok(message);
            }
            if self.read().await? == 0 {
                return Ok(Message::Closed);
            }
        }
    }

    /// A message that lies here already, without waiting.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn next_ready(&mut self) -> Result<Option<Message>, SocketError> {
        self.parse()
    }

    /// Writes bytes that are whole frames, and flushes.
    ///
    /// # Errors
    /// If the connection broke.
    pub async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames).await?;
        self.stream.flush().await
    }

    /// Says goodbye and writes no more.
    pub async fn close(&mut self, code: u16) {
        let mut frame = Vec::new();
        put_header(&mut frame, OpCode::Control(Control::Close), 2);
        frame.extend_from_slice(&code.to_be_bytes());
        // The other side may be gone already: then there is nobody to say goodbye to.
        if self.write(&frame).await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }

    /// Lets go of what the other side still sends, until it has read the goodbye and closes too. A connection that ends
    /// over unread bytes is reset (RFC 1122, section 4.2.2.13), and takes what was said last with it.
    pub async fn linger(&mut self) {
        // Not within the task: each idle connection would carry it around.
        let mut bytes = vec![0; READ_BYTES];
        let mut left = LINGER_BYTES_MAX;
        while left > 0 {
            match tokio::io::AsyncReadExt::read(&mut self.stream, &mut bytes).await {
                Ok(read @ 1..) => left = left.saturating_sub(read),
                Ok(0) | Err(_) => return,
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let Self { stream, input, header, .. } = self;
        let missing = header.as_ref().map_or(0, |(_, length)| length.saturating_sub(input.len()));
        if missing > READ_BYTES {
            // The header was checked: this much may come, and it is read straight to where it stays.
            input.reserve(missing);
            return tokio::io::AsyncReadExt::read_buf(stream, input).await;
        }
        // Read on the stack: a connection that waits holds no buffer.
        poll_fn(|cx| {
            let mut bytes = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            input.extend_from_slice(buffer.filled());
            std::task::Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }

    fn parse(&mut self) -> Result<Option<Message>, SocketError> {
        loop {
            if self.header.is_none() && !self.parse_header()? {
                return Ok(None);
            }
            let Some((header, length)) = self.header.take() else { return Ok(None) };
            if self.input.len() < length {
                self.header = Some((header, length));
                return Ok(None);
            }
            let mut payload = self.input.split_to(length);
            if self.input.is_empty() {
                // The payload keeps the memory for as long as it lives; the connection keeps none.
                self.input = BytesMut::new();
            }
            if let Some(mask) = header.mask {
                unmask(&mut payload, mask);
            }
            if let Some(message) = self.finish_frame(&header, payload)? {
                return Ok(Some(message));
            }
        }
    }

    fn parse_header(&mut self) -> Result<bool, SocketError> {
        let mut cursor = Cursor::new(&self.input[..]);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|_| SocketError::Protocol { why: "an opcode that is not defined (section 5.2)" })?;
        let Some((header, length)) = parsed else { return Ok(false) };
        let header_bytes = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(SocketError::Protocol { why: "a reserved bit without an extension (section 5.2)" });
        }
        if header.mask.is_none() && !planted!("frames-without-mask") {
            return Err(SocketError::Protocol { why: "a client's frame without a mask (section 5.1)" });
        }
        if matches!(header.opcode, OpCode::Control(_)) && (length > 125 || !header.is_final) {
            return Err(SocketError::Protocol { why: "a control frame that is long or in fragments (section 5.5)" });
        }
        let before = self.fragments.as_ref().map_or(0, BytesMut::len);
        let whole = length.saturating_add(before as u64);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        // Before anything is allocated: four thousand million bytes are only a number in a header.
        if whole > self.message_bytes_max as u64 {
            return Err(SocketError::TooLarge { got_bytes: whole, max_bytes: self.message_bytes_max });
        }
        let _ = self.input.split_to(header_bytes);
        self.header = Some((header, length));
        Ok(true)
    }

    fn finish_frame(&mut self, header: &FrameHeader, payload: BytesMut) -> Result<Option<Message>, SocketError> {
        const ORDER: SocketError = SocketError::Protocol { why: "fragments out of order (section 5.4)" };
        match header.opcode {
            OpCode::Data(Data::Binary) if self.fragments.is_some() => Err(ORDER),
            OpCode::Data(Data::Binary) if header.is_final => Ok(Some(Message::Binary(payload.freeze()))),
            OpCode::Data(Data::Binary) => {
                self.fragments = Some(payload);
                Ok(None)
            }
            OpCode::Data(Data::Continue) => {
                let Some(mut message) = self.fragments.take() else { return Err(ORDER) };
                message.extend_from_slice(&payload);
                if header.is_final {
                    return Ok(Some(Message::Binary(message.freeze())));
                }
                self.fragments = Some(message);
                Ok(None)
            }
            OpCode::Data(_) => Err(SocketError::Text),
            OpCode::Control(Control::Ping) => Ok(Some(Message::Ping(payload.freeze()))),
            OpCode::Control(Control::Pong) => Ok(None),
            OpCode::Control(Control::Close) => goodbye(&payload).map(Some),
            OpCode::Control(_) => Err(SocketError::Protocol { why: "an opcode that is not defined (section 5.2)" }),
        }
    }
}

/// Reads the body of a close frame (RFC 6455, sections 5.5.1 and 7.4).
fn goodbye(payload: &[u8]) -> Result<Message, SocketError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        let why = "a goodbye of one byte (section 5.5.1)";
        return if payload.is_empty() { Ok(Message::Goodbye(1000)) } else { Err(SocketError::Protocol { why }) };
    };
    let code = CloseCode::from(u16::from_be_bytes(*code));
    if !code.is_allowed() {
        return Err(SocketError::Protocol { why: "a closing code that nobody may send (section 7.4)" });
    }
    std::str::from_utf8(reason).map_err(|_| SocketError::BadReason)?;
    Ok(Message::Goodbye(code.into()))
}

/// XOR with the mask (RFC 6455, section 5.3), eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

fn put_header(out: &mut Vec<u8>, opcode: OpCode, payload_bytes: usize) {
    let header = FrameHeader { is_final: true, opcode, ..FrameHeader::default() };
    // Writing to a vector does not fail.
    let _ = header.format(payload_bytes as u64, out);
}

/// Appends a binary message's header; the payload follows.
pub fn put_binary_header(out: &mut Vec<u8>, payload_bytes: usize) {
    put_header(out, OpCode::Data(Data::Binary), payload_bytes);
}

/// Appends a pong.
pub fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    put_header(out, OpCode::Control(Control::Pong), payload.len());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;

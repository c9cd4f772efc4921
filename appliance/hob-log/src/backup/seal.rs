//! The file of a backup: a header, and behind it chunks of 64 KiB, sealed with XChaCha20-Poly1305 in the STREAM
//! construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each chunk's nonce says its number and whether it is the
//! last one, so none can be changed, moved, left out or put behind the end.

use std::io::{ErrorKind, Read, Write};

use aead_stream::{NewStream as _, Nonce, StreamBE32, StreamPrimitive as _};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use zeroize::Zeroizing;

use crate::backup::header::{HEADER_BYTES, Header};
use crate::backup::records::{self, Reader};
use crate::backup::{BackupError, Content, Cost, LockKind, Secret};

/// Plain bytes of a chunk; only the last one may have fewer.
pub const CHUNK_BYTES: usize = 64 << 10;

const TAG_BYTES: usize = 16;

type Stream = StreamBE32<XChaCha20Poly1305>;

fn stream(header: &Header, key: &[u8; 32]) -> Stream {
    Stream::new(&Key::from(*key), &Nonce::<XChaCha20Poly1305, Stream>::from(*header.nonce()))
}

/// Writes a backup. `progress` is told how many plain bytes were sealed so far.
///
/// # Errors
/// [`BackupError`]; what was written so far is worth nothing then.
pub fn seal(
    content: &Content,
    secret: &Secret<'_>,
    cost: Cost,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), BackupError> {
    let (header, key) = Header::make(secret, cost)?;
    out.write_all(header.bytes()).map_err(BackupError::write)?;
    let mut sealer = Sealer {
        stream: stream(&header, &key),
        header,
        number: 0,
        chunk: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
        sealed_bytes: 0,
        out,
        progress,
    };
    records::write(content, &mut |bytes| sealer.take_in(bytes))?;
    sealer.flush(true)
}

struct Sealer<'a> {
    stream: Stream,
    header: Header,
    number: u32,
    /// Plain bytes that wait for company. Has room for the tag, so that it never grows.
    chunk: Zeroizing<Vec<u8>>,
    sealed_bytes: u64,
    out: &'a mut dyn Write,
    progress: &'a mut dyn FnMut(u64),
}

impl Sealer<'_> {
    fn take_in(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            // A full chunk goes when something follows it: so the last one is never empty.
            if self.chunk.len() == CHUNK_BYTES {
                self.flush(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self, is_last: bool) -> Result<(), BackupError> {
        let plain_bytes = self.chunk.len() as u64;
        let too_large = || BackupError::TooLarge { bytes: u64::from(u32::MAX) * CHUNK_BYTES as u64 };
        self.stream
            .encrypt_in_place(self.number, is_last, self.header.bytes(), &mut *self.chunk)
            .map_err(|_| too_large())?;
        self.out.write_all(&self.chunk).map_err(BackupError::write)?;
        self.chunk.clear();
        self.number = self.number.checked_add(1).ok_or_else(too_large)?;
        self.sealed_bytes += plain_bytes;
        (self.progress)(self.sealed_bytes);
        Ok(())
    }
}

/// A backup whose header was read, and nothing else.
#[derive(Debug)]
pub struct Sealed<R> {
    header: Header,
    input: R,
}

impl<R: Read> Sealed<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`BackupError`]: it is no backup, of a newer program, damaged, or asks for too much.
    pub fn open(mut input: R) -> Result<Self, BackupError> {
        let mut bytes = [0; HEADER_BYTES];
        let got = fill(&mut input, &mut bytes).map_err(BackupError::read)?;
        if got < HEADER_BYTES {
            let magic = b"HOBBAK\r\n";
            let begins_well = bytes.iter().zip(magic).take(got).all(|(is, should)| is == should);
            return Err(if got > 0 && begins_well {
                BackupError::Cut { at: got as u64 }
            } else {
                BackupError::NotABackup
            });
        }
        Ok(Self { header: Header::parse(&bytes)?, input })
    }

    /// How it is locked.
    pub const fn lock(&self) -> LockKind {
        self.header.lock()
    }

    /// Reads it all. Nothing is handed out before everything was checked. `progress` is told how many bytes of the file
    /// were read.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn read(mut self, secret: &Secret<'_>, progress: &mut dyn FnMut(u64)) -> Result<Content, BackupError> {
        let key = self.header.key(secret)?;
        let stream = stream(&self.header, &key);
        let mut reader = Reader::default();
        let (mut at, mut number) = (HEADER_BYTES as u64, 0_u32);
        let mut chunk = self.chunk()?;
        loop {
            let next = if chunk.len() == CHUNK_BYTES + TAG_BYTES { self.chunk()? } else { Zeroizing::default() };
            let is_last = next.is_empty();
            let sealed_bytes = chunk.len() as u64;
            self.open_chunk(&stream, number, is_last, &mut chunk, at)?;
            reader.take_in(&chunk).map_err(|why| BackupError::Damaged { at, why })?;
            at += sealed_bytes;
            progress(at);
            if is_last {
                return reader.finish().map_err(|why| BackupError::Damaged { at, why });
            }
            number = number.checked_add(1).ok_or(BackupError::Damaged { at, why: "it does not end" })?;
            chunk = next;
        }
    }

    fn chunk(&mut self) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let mut chunk = Zeroizing::new(vec![0; CHUNK_BYTES + TAG_BYTES]);
        let got = fill(&mut self.input, &mut chunk).map_err(BackupError::read)?;
        chunk.truncate(got);
        Ok(chunk)
    }

    fn open_chunk(
        &self,
        stream: &Stream,
        number: u32,
        is_last: bool,
        chunk: &mut Vec<u8>,
        at: u64,
    ) -> Result<(), BackupError> {
        let cut = BackupError::Cut { at: at + chunk.len() as u64 };
        if chunk.len() < TAG_BYTES {
            return Err(cut);
        }
        // Opened as what it should be; a last chunk that opens as a middle one had others behind it.
        let sealed = is_last.then(|| Zeroizing::new(chunk.clone()));
        if stream.decrypt_in_place(number, is_last, self.header.bytes(), chunk).is_ok() {
            return Ok(());
        }
        let is_middle = sealed.is_some_and(|mut sealed| {
            stream.decrypt_in_place(number, false, self.header.bytes(), &mut *sealed).is_ok()
        });
        Err(if is_middle { cut } else { BackupError::Damaged { at, why: "a chunk is changed or cut" } })
    }
}

/// Fills a buffer as far as the input goes.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

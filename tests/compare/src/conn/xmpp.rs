//! XMPP (RFC 6120, 6121) with stream management (XEP-0198), which is what acknowledges: `quick-xml` reads the stream.

use std::io;
use std::net::SocketAddr;

use data_encoding::BASE64;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{NUMBER_BYTES, number_of, random, wrong};

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
const MANAGEMENT: &str = "xmlns='urn:xmpp:sm:3'";
const PASSWORD: &str = "pw";

/// A client.
pub struct Xmpp {
    reader: Reader<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    /// Stanzas that came since stream management was enabled: what an `a` tells the server.
    stanzas: u32,
    /// What the server's last `a` told.
    acked: u32,
}

/// What the client looks at.
enum Told {
    Message(String),
    Acked(u32),
    Asked,
    Element(String),
}

impl Xmpp {
    /// Makes accounts, over one connection.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn register(address: SocketAddr, names: &[String]) -> io::Result<()> {
        for name in names {
            let mut this = Self::open(address).await?;
            let query = format!(
                "<iq type='set' id='reg' to='localhost'><query xmlns='jabber:iq:register'><username>{name}</username>\
                 <password>{PASSWORD}</password></query></iq>"
            );
            this.write(&query).await?;
            this.expect("iq").await?;
        }
        Ok(())
    }

    /// Logs in; a reader tells its presence, and what waits for it comes.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn log_in(address: SocketAddr, name: &str, is_reader: bool) -> io::Result<Self> {
        let mut this = Self::open(address).await?;
        let secret = BASE64.encode(format!("\0{name}\0{PASSWORD}").as_bytes());
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>");
        this.write(&auth).await?;
        this.expect("success").await?;
        this.write(HEADER).await?;
        this.expect("stream:features").await?;
        let bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>c</resource>\
                    </bind></iq>";
        this.write(bind).await?;
        this.expect("iq").await?;
        this.write(&format!("<enable {MANAGEMENT}/>")).await?;
        this.expect("enabled").await?;
        this.stanzas = 0;
        if is_reader {
            this.write("<presence/>").await?;
        }
        Ok(this)
    }

    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reading, writer) = stream.into_split();
        let mut reader = Reader::from_reader(BufReader::with_capacity(16 << 10, reading));
        reader.config_mut().check_end_names = false;
        let mut this = Self { reader, writer, stanzas: 0, acked: 0 };
        this.write(HEADER).await?;
        this.expect("stream:features").await?;
        Ok(this)
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes()).await
    }

    async fn expect(&mut self, name: &str) -> io::Result<()> {
        loop {
            match self.told().await? {
                Told::Element(element) if element == name => return Ok(()),
                Told::Element(element) if element == "failure" || element == "failed" || element == "stream:error" => {
                    return Err(wrong(format!("{element} instead of {name}")));
                }
                Told::Asked => self.answer().await?,
                _ => {}
            }
        }
    }

    /// The next element below the stream, whole.
    async fn told(&mut self) -> io::Result<Told> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let event = self.reader.read_event_into_async(&mut buffer).await.map_err(io::Error::other)?;
            let (start, is_empty) = match event {
                Event::Start(start) if start.name().as_ref() == b"stream:stream" => continue,
                Event::Start(start) => (start.into_owned(), false),
                Event::Empty(start) => (start.into_owned(), true),
                Event::End(end) if end.name().as_ref() == b"stream:stream" => return Err(closed()),
                Event::Eof => return Err(closed()),
                _ => continue,
            };
            let text = if is_empty { String::new() } else { self.rest(&start).await? };
            let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
            self.stanzas = self.stanzas.wrapping_add(u32::from(["message", "presence", "iq"].contains(&name.as_str())));
            return match name.as_str() {
                "message" if is_error(&start) => Err(wrong("the server bounced a message")),
                "iq" if is_error(&start) => Err(wrong("the server refused a request")),
                "message" => Ok(Told::Message(text)),
                "a" => Ok(Told::Acked(attribute(&start, "h").and_then(|h| h.parse().ok()).unwrap_or_default())),
                "r" => Ok(Told::Asked),
                _ => Ok(Told::Element(name)),
            };
        }
    }

    /// Reads to an element's end; the text of its body.
    async fn rest(&mut self, start: &BytesStart<'_>) -> io::Result<String> {
        let (mut depth, mut in_body, mut text) = (1, false, String::new());
        let mut buffer = Vec::new();
        while depth > 0 {
            buffer.clear();
            match self.reader.read_event_into_async(&mut buffer).await.map_err(io::Error::other)? {
                Event::Start(inner) => {
                    depth += 1;
                    in_body = inner.name().as_ref() == b"body";
                }
                Event::End(_) => {
                    depth -= 1;
                    in_body = false;
                }
                Event::Text(inner) if in_body => text.push_str(&String::from_utf8_lossy(&inner)),
                Event::Eof => return Err(wrong(format!("the stream ends in {:?}", start.name()))),
                _ => {}
            }
        }
        Ok(text)
    }

    async fn answer(&mut self) -> io::Result<()> {
        let answer = format!("<a {MANAGEMENT} h='{}'/>", self.stanzas);
        self.write(&answer).await
    }

    pub(super) async fn send(&mut self, to: usize, number: u64, bytes: usize) -> io::Result<()> {
        let mut filler = vec![0; bytes.saturating_sub(NUMBER_BYTES)];
        random(&mut filler);
        let body = BASE64.encode(&filler);
        let message = format!(
            "<message to='r{to}@localhost' type='chat' id='{number:x}'><body>{number:016x}{body}</body></message>\
             <r {MANAGEMENT}/>"
        );
        self.write(&message).await
    }

    pub(super) async fn acked(&mut self) -> io::Result<usize> {
        loop {
            match self.told().await? {
                Told::Acked(handled) if handled != self.acked => {
                    let new = handled.wrapping_sub(self.acked);
                    self.acked = handled;
                    return Ok(new as usize);
                }
                Told::Asked => self.answer().await?,
                _ => {}
            }
        }
    }

    pub(super) async fn received(&mut self) -> io::Result<Vec<u64>> {
        loop {
            match self.told().await? {
                Told::Message(body) if !body.is_empty() => return Ok(vec![number_of(body.as_bytes())?]),
                Told::Asked => self.answer().await?,
                _ => {}
            }
        }
    }

    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.answer().await?;
        self.write("</stream:stream>").await?;
        while self.told().await.is_ok() {}
        Ok(())
    }
}

fn closed() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = start.try_get_attribute(name).ok()??;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}

fn is_error(start: &BytesStart<'_>) -> bool {
    attribute(start, "type").is_some_and(|kind| kind == "error")
}

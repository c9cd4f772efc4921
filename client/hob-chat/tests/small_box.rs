//! A box as small as it can be, for trying the client: real TLS 1.3, real WebSocket, the frames of the protocol, mailboxes
//! in memory. It grants what it is asked, keeps what it is given, and counts. No quotas, no expiry, no disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use hob_protocol::address::Address;
use hob_protocol::code::{Code, Refused};
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ClientFrame, Hello, Limits, ServerBody, ServerFrame};
use hob_protocol::ids::{
    BoxIdentity, DeviceKey, EnvelopeId, InvitationId, InvitationSecret, MailboxId, MemberId, TokenHash,
};
use hob_protocol::invitation::Invitation;
use hob_protocol::limits::{SUBPROTOCOL, TTL_MAX, TTL_MIN};
use hob_protocol::transcript::{self, BoundTo, EXPORTER_LABEL, Exporter};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

type Frames = mpsc::UnboundedSender<ServerFrame>;

#[derive(Default)]
struct Mailbox {
    kept: Vec<(EnvelopeId, Envelope)>,
    tokens: BTreeSet<TokenHash>,
    bundle: Option<Bytes>,
    owner: Option<Frames>,
}

#[derive(Default)]
struct State {
    invitations: BTreeMap<InvitationId, InvitationSecret>,
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    accepted: usize,
    refuses_to_store: bool,
    forges_hellos: bool,
    says_nonsense: Option<Message>,
}

struct Shared {
    key: SigningKey,
    /// What the hello claims; another key's in the test of a changed box.
    certificate_spki: Vec<u8>,
    state: Mutex<State>,
}

/// A box that runs until it is dropped.
pub struct SmallBox {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl SmallBox {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), 1)
    }

    /// Starts one at an address, with the identity of a seed.
    pub fn start_at(address: SocketAddr, seed: u8) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["hob".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
        let shared = Arc::new(Shared {
            key: SigningKey::from_bytes(&[seed; 32]),
            certificate_spki: rustls::server::ParsedCertificate::try_from(certified.cert.der())
                .unwrap()
                .subject_public_key_info()
                .to_vec(),
            state: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(address).await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
                tokio::select! {
                    () = accept(listener, acceptor, of_thread) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { shared, address: starts.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A fresh invitation.
    pub fn invitation(&self) -> String {
        self.invitation_to(&[self.address])
    }

    /// A fresh invitation that names these addresses.
    pub fn invitation_to(&self, addresses: &[SocketAddr]) -> String {
        let mut state = self.shared.state();
        let number = u8::try_from(state.invitations.len() + 1).unwrap();
        let (id, secret) = (InvitationId([number; 16]), InvitationSecret([number; 16]));
        state.invitations.insert(id, secret.clone());
        let address = |address: &SocketAddr| Address::parse(&address.to_string()).unwrap();
        Invitation {
            id,
            secret,
            box_identity: self.shared.identity(),
            addresses: addresses.iter().map(address).collect(),
            expires_at_s: SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600,
        }
        .to_link()
    }

    /// Envelopes that it accepted so far; repeated ones are not counted.
    pub fn accepted(&self) -> usize {
        self.shared.state().accepted
    }

    /// From now on it says that its disk is full.
    pub fn refuse_to_store(&self) {
        self.shared.state().refuses_to_store = true;
    }

    /// From now on its hellos are signed for another connection, as those of somebody in between would be.
    pub fn forge_hellos(&self) {
        self.shared.state().forges_hellos = true;
    }

    /// From now on it says this after its hello, and nothing else.
    pub fn say_nonsense(&self, nonsense: Message) {
        self.shared.state().says_nonsense = Some(nonsense);
    }

    /// Ends it, as a pulled plug does; what it kept comes along.
    pub fn stop(mut self) -> Stopped {
        self.end();
        Stopped { address: self.address, state: std::mem::take(&mut *self.shared.state()) }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for SmallBox {
    fn drop(&mut self) {
        self.end();
    }
}

/// A box that does not run.
pub struct Stopped {
    address: SocketAddr,
    state: State,
}

impl Stopped {
    /// Starts it again, with what it had.
    pub fn start(self) -> SmallBox {
        let again = SmallBox::start_at(self.address, 1);
        *again.shared.state() = self.state;
        again
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn identity(&self) -> BoxIdentity {
        BoxIdentity(self.key.verifying_key().to_bytes())
    }

    fn hello(&self, exporter: &Exporter) -> ServerBody {
        let elsewhere = Exporter([0; 32]);
        let signed_for = if self.state().forges_hellos { &elsewhere } else { exporter };
        let signature = transcript::server(signed_for, &self.certificate_spki).sign(&self.key);
        ServerBody::Hello(Box::new(Hello {
            identity: self.identity(),
            signature: Bytes::copy_from_slice(&signature),
            epoch: 7,
            lost_windows: Vec::new(),
            limits: Limits {
                ttl_max: TTL_MAX,
                ttl_min: TTL_MIN,
                mailbox_envelopes: 2000,
                mailbox_bytes: 32 << 20,
                token_burst: 256,
                token_per_second: 20,
                credit_max: 64,
                bundle_fetches_per_hour: 20,
                tokens_per_mailbox: 1024,
            },
            address_record: None,
        }))
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&shared)));
    }
}

#[expect(clippy::result_large_err, reason = "the shape that the handshake's callback has")]
fn speak_hob(
    _: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    let ours = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert("sec-websocket-protocol", ours);
    Ok(response)
}

/// One client, to its end; a client that breaks off is not worth a word.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) -> Option<()> {
    let tls = acceptor.accept(stream).await.ok()?;
    let exporter = tls.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, None).ok().map(Exporter)?;
    let mut socket = tokio_tungstenite::accept_hdr_async(tls, speak_hob).await.ok()?;
    let (frames, mut outgoing) = mpsc::unbounded_channel();
    let nonce = [9; 32];
    say(&frames, 0, shared.hello(&exporter));
    let nonsense = shared.state().says_nonsense.clone();
    if let Some(nonsense) = nonsense {
        socket.send(Message::Binary(outgoing.recv().await?.encode())).await.ok()?;
        socket.send(nonsense).await.ok()?;
        return socket.next().await?.ok().map(drop);
    }
    say(&frames, 0, ServerBody::Challenge { nonce });
    let mut client = Talk { shared, exporter, nonce, frames, mailbox: None };
    loop {
        tokio::select! {
            frame = outgoing.recv() => socket.send(Message::Binary(frame?.encode())).await.ok()?,
            message = socket.next() => if let Message::Binary(bytes) = message?.ok()? {
                client.answer(ClientFrame::decode(bytes).ok()?);
            },
        }
    }
}

fn say(frames: &Frames, request: u64, body: ServerBody) {
    let _ = frames.send(ServerFrame { request, body });
}

struct Talk {
    shared: Arc<Shared>,
    exporter: Exporter,
    nonce: [u8; 32],
    frames: Frames,
    mailbox: Option<MailboxId>,
}

impl Talk {
    fn answer(&mut self, frame: ClientFrame) {
        let request = frame.request;
        match self.body(frame.body) {
            Ok(Some(body)) => say(&self.frames, request, body),
            Ok(None) => {}
            Err(code) => {
                let _ = self.frames.send(ServerFrame::refusal(request, Refused::finally(code)));
            }
        }
        if let Some(mailbox) = self.just_proved() {
            self.push_kept(&mailbox);
        }
    }

    /// Pushes begin after the answer to prove has been given.
    fn just_proved(&self) -> Option<MailboxId> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        let id = self.mailbox?;
        let mailbox = state.mailboxes.get_mut(&id)?;
        let is_ours = mailbox.owner.as_ref().is_some_and(|owner| owner.same_channel(&self.frames));
        (!is_ours).then(|| {
            mailbox.owner = Some(self.frames.clone());
            id
        })
    }

    fn push_kept(&self, id: &MailboxId) {
        let state = self.shared.state();
        for (envelope_id, envelope) in &state.mailboxes[id].kept {
            say(&self.frames, 0, push(envelope_id, envelope));
        }
        say(&self.frames, 0, ServerBody::CaughtUp);
    }

    fn body(&mut self, body: ClientBody) -> Result<Option<ServerBody>, Code> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        Ok(Some(match body {
            ClientBody::Redeem { invitation, device_key, mac, .. } => {
                self.redeem(&mut state, &invitation, &device_key, &mac)?
            }
            ClientBody::Prove { device_key, signature, .. } => self.prove(&state, &device_key, &signature)?,
            ClientBody::Submit { token, envelope, ttl, .. } => submit(&mut state, &token.hash(), envelope, ttl)?,
            ClientBody::BundleFetch { token } => {
                let mailbox = mailbox_of(&mut state, &token.hash())?;
                let bundle = mailbox.bundle.clone().ok_or(Code::NoBundle)?;
                ServerBody::Bundle { bundle }
            }
            ClientBody::Acknowledge { ids } => {
                let mailbox = self.own(&mut state)?;
                mailbox.kept.retain(|(id, _)| !ids.contains(id));
                ServerBody::Done
            }
            ClientBody::TokenGrant(grant) => {
                self.own(&mut state)?.tokens.insert(grant.token_hash);
                ServerBody::Done
            }
            ClientBody::TokenRevoke { token_hash } => {
                self.own(&mut state)?.tokens.remove(&token_hash);
                ServerBody::Done
            }
            ClientBody::TokenList { grants } => {
                self.own(&mut state)?.tokens = grants.iter().map(|grant| grant.token_hash).collect();
                ServerBody::Done
            }
            ClientBody::BundlePublish { bundle, .. } => {
                self.own(&mut state)?.bundle = Some(bundle);
                ServerBody::Done
            }
            ClientBody::Credit { .. } => ServerBody::Done,
            ClientBody::Ping => ServerBody::Pong,
            ClientBody::DeviceTicket => return Err(Code::UnknownFrame),
        }))
    }

    fn redeem(
        &self,
        state: &mut State,
        invitation: &InvitationId,
        device: &DeviceKey,
        mac: &[u8; 32],
    ) -> Result<ServerBody, Code> {
        let secret = state.invitations.get(invitation).ok_or(Code::NoSuchInvitation)?;
        let expected = transcript::redeem_mac(secret, device, &self.shared.identity(), Some(&self.exporter));
        if !transcript::same_mac(&expected, mac) {
            return Err(Code::NoSuchInvitation);
        }
        let mailbox = MailboxId::of_device(device);
        state.mailboxes.entry(mailbox).or_default();
        let member = MemberId([2; 16]);
        Ok(ServerBody::Admitted { member, mailbox })
    }

    fn prove(&mut self, state: &State, device: &DeviceKey, signature: &[u8; 64]) -> Result<ServerBody, Code> {
        let bound = BoundTo::Exporter(&self.exporter);
        if !transcript::prove(&self.nonce, &self.shared.identity(), bound).is_signed_by(device.as_bytes(), signature) {
            return Err(Code::BadProof);
        }
        let id = MailboxId::of_device(device);
        let mailbox = state.mailboxes.get(&id).ok_or(Code::NotAMember)?;
        self.mailbox = Some(id);
        Ok(ServerBody::Proved { mailbox: id, wants_token_list: false, wants_bundle: mailbox.bundle.is_none() })
    }

    fn own<'a>(&self, state: &'a mut State) -> Result<&'a mut Mailbox, Code> {
        let id = self.mailbox.ok_or(Code::NotProved)?;
        state.mailboxes.get_mut(&id).ok_or(Code::NotAMember)
    }
}

fn mailbox_of<'a>(state: &'a mut State, token: &TokenHash) -> Result<&'a mut Mailbox, Code> {
    let mut mailboxes = state.mailboxes.values_mut();
    mailboxes.find(|mailbox| mailbox.tokens.contains(token)).ok_or(Code::NoSuchToken)
}

fn submit(state: &mut State, token: &TokenHash, envelope: Envelope, ttl: Duration) -> Result<ServerBody, Code> {
    if state.refuses_to_store {
        return Err(Code::CannotStore);
    }
    let mut mailboxes = state.mailboxes.iter_mut();
    let (id, mailbox) = mailboxes.find(|(_, mailbox)| mailbox.tokens.contains(token)).ok_or(Code::NoSuchToken)?;
    let envelope_id = EnvelopeId::of(id, &envelope.clone().into_bytes());
    if let Some(owner) = &mailbox.owner {
        say(owner, 0, push(&envelope_id, &envelope));
    }
    mailbox.kept.push((envelope_id, envelope));
    state.accepted += 1;
    Ok(ServerBody::Accepted { ttl: ttl.min(TTL_MAX), duplicate: false })
}

fn push(id: &EnvelopeId, envelope: &Envelope) -> ServerBody {
    ServerBody::Push { id: *id, envelope: envelope.clone(), ttl: Duration::from_secs(3600) }
}

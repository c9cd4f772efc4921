//! Sealing, layer by layer: what one device says to another, and what its box sees of it.
//!
//! # Layout
//! - [`inner`]: the plaintext: who, to whom, message id, text or receipt, first contact's extras.
//! - [`devices`]: what a member's devices say to each other, inside the plaintext.
//! - [`quote`]: which message a text answers, inside the plaintext.
//! - [`olm`]: its encryption between two devices; the sender keeps this *inner ciphertext* until the receipt.
//! - [`ratchet`]: the library behind it, or in a simulation's build a stand-in.
//! - [`middle`]: sender device, kind and session id around it, by which the receiver finds the session.
//! - [`padding`]: to one of six sizes, hidden under what follows.
//! - [`outer`]: HPKE with X-Wing to the recipient device's prekey: the envelope.
//!
//! # All layers, once there and back
//! ```
//! use hob_client::seal::{inner, middle, olm, outer};
//! use hob_protocol::ids::DeviceKey;
//! use rand_core::SeedableRng;
//!
//! let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
//! let (ada, bob) = (DeviceKey([1; 32]), DeviceKey([2; 32]));
//! // Bob's device publishes an X-Wing prekey, an Olm identity key and an Olm fallback key.
//! let (prekey_secret, prekey) = outer::generate_prekey(&mut rng);
//! let mut bobs_account = vodozemac::olm::Account::new();
//! bobs_account.generate_fallback_key();
//! let fallback = bobs_account.fallback_key().values().next().unwrap().to_bytes();
//!
//! // Ada seals.
//! let adas_account = vodozemac::olm::Account::new();
//! let plaintext = inner::Inner {
//!     sender: ada,
//!     recipient: bob,
//!     conversation: [0; 16],
//!     message_id: hob_client::MessageId([7; 16]),
//!     sent_at_ms: 1_790_000_000_000,
//!     ttl: None,
//!     introduction: None,
//!     has_your_token: true,
//!     strict: false,
//!     also_to: Vec::new(),
//!     body: inner::Body::Text { text: "supper at eight".to_owned().into(), view_once: false, quote: None },
//! };
//! let mut session = olm::outbound(&adas_account, &bobs_account.curve25519_key().to_bytes(), &fallback)?;
//! let ciphertext = session.encrypt(&plaintext.encode())?;
//! let layer =
//!     middle::Middle { sender: ada, kind: ciphertext.kind, session: ciphertext.session, inner: ciphertext.bytes };
//! let envelope = outer::seal_envelope(&bob, &prekey, &layer.encode(), &mut rng)?;
//! assert_eq!(envelope.len(), 2048);
//!
//! // Bob opens.
//! let opened = outer::open_envelope(&bob, |_| Some(prekey_secret.clone()), &envelope)?;
//! let layer = middle::Middle::decode(&opened)?;
//! let message = olm::read_prekey(&layer.inner)?;
//! let adas_identity = adas_account.curve25519_key().to_bytes();
//! let (_session, decrypted) = olm::inbound(&mut bobs_account, &adas_identity, &message)?;
//! assert!(inner::Inner::decode(&decrypted)? == plaintext);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod devices;
pub mod inner;
pub mod middle;
pub mod olm;
pub mod outer;
pub mod padding;
pub mod quote;
pub mod ratchet;
#[cfg(feature = "stand-in")]
pub mod stand_in;

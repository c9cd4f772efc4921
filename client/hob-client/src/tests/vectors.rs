//! `docs/vectors.json`, the part whose names begin with `sealing_`: what clients in other languages are held to.
//!
//! The envelope of the vectors was sealed once; the rest is computed anew.

use std::time::Duration;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use hob_protocol::address::Address;
use hob_protocol::envelope::Envelope;
use hob_protocol::ids::{BoxIdentity, DeliveryToken, DeviceKey, MailboxId, MemberKey};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::bundle::{Bundle, Expected};
use crate::contacts::conversation;
use crate::devices::list::{DeviceList, LIST_LIFE_S, Listed};
use crate::introduce::introduction_mac;
use crate::record::DeviceRecord;
use crate::seal::inner::{Body, Inner, Introduction};
use crate::seal::middle::{Kind, Middle};
use crate::seal::outer::{self, Prekey, SUITE};
use crate::trust::safety_number;
use crate::view::MessageId;

const VECTORS: &str = include_str!("../../../../docs/vectors.json");
const SEALING: &str = "sealing_";
const ENVELOPE: &str = "sealing_envelope";
const PREKEY_SEED: [u8; 32] = [0xbb; 32];
const PREKEY_ID: u32 = 0x0403_0201;
const OLM_IDENTITY: [u8; 32] = [0xcc; 32];
const EXPIRES_AT_S: u64 = 1_790_000_000;

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn unhex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn member(seed: u8) -> MemberKey {
    MemberKey(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes())
}

fn device(seed: u8) -> DeviceKey {
    DeviceKey(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes())
}

/// The box, the device and the member of the other vectors.
fn record() -> DeviceRecord {
    let home_box = BoxIdentity(SigningKey::from_bytes(&[0x11; 32]).verifying_key().to_bytes());
    let (member, device) = (SigningKey::from_bytes(&[0x33; 32]), SigningKey::from_bytes(&[0x22; 32]));
    DeviceRecord::sign(&member, &device, OLM_IDENTITY, home_box)
}

fn list() -> DeviceList {
    DeviceList {
        member_key: member(0x33),
        version: 1_780_000_000,
        previous: [0; 32],
        made_at_s: 1_780_000_000,
        expires_at_s: 1_780_000_000 + LIST_LIFE_S,
        devices: vec![Listed { record: record(), name: "phone".to_owned() }],
        revoked: vec![device(0x25)],
    }
}

fn bundle() -> Bundle {
    let public = outer::prekey_public(&Zeroizing::new(PREKEY_SEED));
    Bundle {
        record: record(),
        prekey: Prekey { id: PREKEY_ID, public },
        olm_fallback: [0xdd; 32],
        suites: vec![SUITE],
        generation: 1_780_000_000,
        expires_at_s: EXPIRES_AT_S,
    }
}

fn inner() -> Inner {
    Inner {
        sender: device(0x23),
        recipient: device(0x22),
        conversation: conversation(&member(0x33), &member(0x34)),
        message_id: MessageId([0xee; 16]),
        sent_at_ms: 1_780_000_000_123,
        ttl: Some(Duration::from_secs(600)),
        introduction: Some(Introduction {
            mac: Some(introduction_mac(&DeliveryToken([0x67; 32]), &device(0x23), &device(0x22))),
            list: list().sign(&SigningKey::from_bytes(&[0x33; 32])).to_vec(),
            token: DeliveryToken([0x68; 32]),
            address_record: Vec::new(),
            addresses: vec![Address::parse("box.example:8443").unwrap()],
            name: "bob".to_owned(),
        }),
        strict: false,
        has_your_token: false,
        also_to: vec![[0x24; 8]],
        body: Body::Text { text: "supper at eight".to_owned().into(), view_once: false, quote: None },
    }
}

fn middle() -> Middle {
    let inner = (0..100).collect();
    Middle { sender: device(0x23), kind: Kind::Olm, session: [0xab; 32], inner }
}

fn computed(printed: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: &str, value: Value| assert!(all.insert(format!("{SEALING}{name}"), value).is_none());
    let (record, bundle, inner, middle) = (record(), bundle(), inner(), middle());
    assert_eq!(DeviceRecord::decode(&record.encode()).as_ref(), Ok(&record));
    add(
        "device_record",
        json!({
            "member_seed": hex([0x33; 32]), "device_seed": hex([0x22; 32]), "olm_identity": hex(OLM_IDENTITY),
            "home_box": hex(record.home_box.0), "mailbox": hex(MailboxId::of_device(&record.device_key).0),
            "bytes": hex(record.encode()),
        }),
    );
    let signed = list().sign(&SigningKey::from_bytes(&[0x33; 32]));
    assert_eq!(DeviceList::open(&signed), Ok(list()));
    add(
        "device_list",
        json!({
            "version": list().version, "made_at_s": list().made_at_s, "expires_at_s": list().expires_at_s,
            "name": "phone", "hash": hex(DeviceList::hash_of(&signed)), "bytes": hex(&signed),
        }),
    );
    let signed = bundle.sign(&SigningKey::from_bytes(&[0x22; 32]));
    let expected = Expected {
        member_key: &record.member_key,
        device_key: &record.device_key,
        home_box: &record.home_box,
        olm_identity: None,
        generation: 0,
        is_listed: false,
    };
    assert_eq!(Bundle::open(&signed, expected, 0).as_ref(), Ok(&bundle));
    add(
        "bundle",
        json!({
            "prekey_seed": hex(PREKEY_SEED), "prekey_id": PREKEY_ID, "prekey": hex(&bundle.prekey.public),
            "olm_fallback": hex(bundle.olm_fallback), "suites": hex(&bundle.suites), "generation": bundle.generation,
            "expires_at_s": bundle.expires_at_s, "bytes": hex(&signed),
        }),
    );
    let (a, b) = (member(0x33), member(0x34));
    let members = json!({ "member_key_a": hex(a.0), "member_key_b": hex(b.0) });
    let with = |more: Value| {
        let mut value = members.clone();
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    add("conversation", with(json!({ "conversation": hex(conversation(&a, &b)) })));
    let number = safety_number(&a, &b);
    add("safety_number", with(json!({ "digits": number.digits, "qr": hex(&number.qr) })));
    let token = DeliveryToken([0x67; 32]);
    let mac = introduction_mac(&token, &device(0x23), &device(0x22));
    add(
        "introduction_mac",
        json!({
            "token": hex(token.expose()), "writer": hex(device(0x23).0), "reader": hex(device(0x22).0),
            "mac": hex(mac),
        }),
    );
    assert!(Inner::decode(&inner.encode()) == Ok(self::inner()));
    add("inner", json!({ "text": "supper at eight", "name": "bob", "bytes": hex(&inner.encode()[..]) }));
    assert_eq!(Middle::decode(&middle.encode()).as_ref(), Ok(&middle));
    add(
        "middle",
        json!({
            "kind": 2, "sender": hex(middle.sender.0), "session": hex(middle.session),
            "inner_ciphertext": hex(&middle.inner), "retry_hash": hex(middle.hash()), "bytes": hex(middle.encode()),
        }),
    );
    add("envelope", envelope(printed.get(ENVELOPE)));
    all
}

/// The printed envelope, if it opens to the middle layer of the vectors; else a fresh one.
fn envelope(printed: Option<&Value>) -> Value {
    let opens = printed.filter(|vector| {
        let envelope = Envelope::new(unhex(&vector["envelope"]).into()).unwrap();
        let secret_of = |id| (id == PREKEY_ID).then(|| Zeroizing::new(PREKEY_SEED));
        let opened = outer::open_envelope(&device(0x22), secret_of, &envelope);
        opened.is_ok_and(|opened| opened[..] == middle().encode()[..])
    });
    let sealed = match opens {
        Some(vector) => unhex(&vector["envelope"]),
        None => {
            let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(1);
            let sealed = outer::seal_envelope(&device(0x22), &bundle().prekey, &middle().encode(), &mut rng);
            sealed.unwrap().bytes().to_vec()
        }
    };
    json!({
        "recipient": hex(device(0x22).0), "prekey_seed": hex(PREKEY_SEED), "prekey_id": PREKEY_ID,
        "middle": hex(middle().encode()), "envelope": hex(sealed),
    })
}

#[test]
fn the_test_vectors_between_clients_are_what_the_code_computes() {
    let all: Map<String, Value> = serde_json::from_str(VECTORS).unwrap();
    let computed = computed(&all);
    let printed: Map<String, Value> = all.into_iter().filter(|(name, _)| name.starts_with(SEALING)).collect();
    assert!(
        printed == computed,
        "docs/vectors.json is not what the code computes. Every client in another language breaks with it: is the \
         change meant? Then these belong there:\n{}",
        serde_json::to_string_pretty(&computed).unwrap()
    );
}

//! What we know of each envelope before it is forgotten: what its sender sealed, and how that lay sealed at rest.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use hob_log::LogName;
use hob_log::files::RealFiles;
use hob_log::keys::{BoxKey, KeyEntry, KeyStore};
use hob_log::record::{BLOCK_HEADER_BYTES, Block, Bytes16, HEADER_BYTES, Header, Opening, open_front};

/// One envelope.
pub struct Known {
    /// The log that it lay in.
    pub log_id: Bytes16,
    pub sequence: u64,
    /// What was submitted.
    pub sealed: Vec<u8>,
    /// Its block in the journal: length, salt, tag, the same sealed once more.
    pub at_rest: Vec<u8>,
    /// The group's sealed index, which names its mailbox and id.
    pub index: Vec<u8>,
}

/// Reads the journals of a running box with its present keys, and finds the envelopes by what was submitted.
pub fn in_journals(data: &Path, submitted: &[Vec<u8>]) -> Vec<Known> {
    let keys = data.join("keys");
    let box_key = BoxKey::load(&RealFiles, &keys, false).unwrap();
    let mut bodies = HashMap::new();
    for entry in KeyStore::peek(&RealFiles, &keys, &box_key).unwrap().entries {
        if let LogName::Window { number } = entry.name {
            let journal = fs::read(data.join(format!("log/windows/{number}/journal"))).unwrap();
            window(&entry, &journal, &mut bodies);
        }
    }
    submitted.iter().filter_map(|sealed| bodies.remove(sealed)).collect()
}

fn window(entry: &KeyEntry, journal: &[u8], bodies: &mut HashMap<Vec<u8>, Known>) {
    let keys = entry.keys();
    let mut at = 0;
    while let Some(header) = journal.get(at..).and_then(Header::parse) {
        let Some(group) = journal.get(at..at + header.total_bytes) else { return };
        let front = &group[..header.front_bytes()];
        for record in open_front(&keys, &header, front).unwrap() {
            if record.body_bytes == 0 {
                continue;
            }
            let at_rest = group[record.block_at..][..BLOCK_HEADER_BYTES + record.body_bytes].to_vec();
            let mut sealed = at_rest[BLOCK_HEADER_BYTES..].to_vec();
            let opening = Block::parse(&at_rest).unwrap().open(&keys, record.sequence, &mut sealed);
            if opening == Opening::Good {
                let (log_id, sequence, index) = (entry.log_id, record.sequence, front[HEADER_BYTES..].to_vec());
                bodies.insert(sealed.clone(), Known { log_id, sequence, sealed, at_rest, index });
            }
        }
        at += header.total_bytes;
    }
}

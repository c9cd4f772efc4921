//! The keys of all logs, and how one is destroyed.
//!
//! Every log has an index key; a window has a body key besides. They stand in a table that is sealed under HKDF-SHA-256
//! (RFC 5869) of the box key and a *shred secret*, and the shred secret is spread over 128 KiB ([`crate::splitter`]) in
//! each of two preallocated slots of `keys/log.keys`.
//!
//! Destroying a key writes the surviving keys under a new secret into the spare slot, syncs, overwrites the other slot
//! likewise, syncs. No free space is needed. A crash in between leaves the newer slot, and each start overwrites both
//! before anything else. Both slots then hold the same keys under two secrets, so that one bad block of the
//! card does not cost the ledger. The slots stay allocated on purpose: punching them out would ask for free space again
//! just when the disk is full; the medium is told to discard a journal's blocks instead.
//!
//! A slot is `magic (8 B) || turn (8)`, at 4 KiB the spread secret, behind it `nonce (24) || bytes (4) || sealed table`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hob_protocol::planted;
use hob_relay::clock::BoxTime;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::LogName;
use crate::error::{LogError, OpenError, OrDisk};
use crate::files::{FileLayer, LogFile, read_exact_at, write_whole};
use crate::record::{Bytes16, LogKeys, random_key, take};
use crate::splitter::{SPREAD_BYTES, merge, split};

/// The name of the box key's file in `keys/`.
pub const BOX_KEY_FILE: &str = "box.key";

/// The name of the log keys' file in `keys/`.
pub const LOG_KEYS_FILE: &str = "log.keys";

const MAGIC: &[u8; 8] = b"hobkeys1";
const SPREAD_AT: usize = 4096;
const TABLE_AT: usize = SPREAD_AT + SPREAD_BYTES;
const TABLE_BYTES_MAX: usize = 24 * 1024 - 28;
const SLOT_BYTES: usize = TABLE_AT + 24 * 1024;

/// The box key: 32 random bytes, mode 0600, wiped in memory when dropped.
pub struct BoxKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("BoxKey(…)")
    }
}

impl BoxKey {
    /// Reads `box.key` in a folder, or makes it if `may_create`.
    ///
    /// # Errors
    /// [`OpenError::Unreadable`] if it has the wrong length, or is missing and may not be made.
    pub fn load(files: &dyn FileLayer, folder: &Path, may_create: bool) -> Result<Self, OpenError> {
        let path = folder.join(BOX_KEY_FILE);
        let unreadable = || OpenError::Unreadable { what: "the box key", path: path.clone() };
        match files.open(&path) {
            Ok(file) => {
                let mut key = Zeroizing::new([0; 32]);
                let is_whole = file.len().is_ok_and(|bytes| bytes == 32);
                read_exact_at(&*file, &mut *key, 0).map_err(|_| unreadable())?;
                if is_whole { Ok(Self(key)) } else { Err(unreadable()) }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => {
                let key = random_key(files).map_err(|_| LogError::Closed)?;
                write_whole(files, &path, &*key).or_disk("store the box key", &path)?;
                Ok(Self(key))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unreadable()),
            Err(error) => Err(LogError::disk("read the box key", &path, error).into()),
        }
    }

    /// A key for one purpose, from the box key and a salt.
    pub fn derive(&self, salt: &[u8], context: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let hkdf = Hkdf::<Sha256>::new(Some(salt), &*self.0);
        let expanded = hkdf.expand(context, &mut *key);
        assert!(expanded.is_ok(), "32 bytes are far below HKDF's bound (RFC 5869, section 2.3)");
        key
    }
}

/// The keys of one log, and what must be known of it even when its folder is damaged.
#[derive(Clone)]
pub struct KeyEntry {
    /// Which log.
    pub name: LogName,
    /// Its random id.
    pub log_id: Bytes16,
    /// When it was opened.
    pub opened: BoxTime,
    /// When it was opened, Unix milliseconds.
    pub opened_unix_ms: u64,
    index_key: Zeroizing<[u8; 32]>,
    body_key: Option<Zeroizing<[u8; 32]>>,
}

impl std::fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, log_id: _, opened, opened_unix_ms, index_key: _, body_key } = self;
        f.debug_struct("KeyEntry")
            .field("name", name)
            .field("opened", opened)
            .field("opened_unix_ms", opened_unix_ms)
            .field("has_body_key", &body_key.is_some())
            .finish_non_exhaustive()
    }
}

impl KeyEntry {
    /// Fresh keys; a body key for windows only.
    ///
    /// # Errors
    /// [`LogError::Closed`] if the system has no random bytes.
    pub fn fresh(files: &dyn FileLayer, name: LogName, opened: BoxTime, opened_unix_ms: u64) -> Result<Self, LogError> {
        let key = || random_key(files).map_err(|_| LogError::Closed);
        let mut log_id = [0; 16];
        files.fill_random(&mut log_id).map_err(|_| LogError::Closed)?;
        Ok(Self {
            name,
            log_id,
            opened,
            opened_unix_ms,
            index_key: key()?,
            body_key: matches!(name, LogName::Window { .. }).then(key).transpose()?,
        })
    }

    /// The keys, ready to use.
    pub fn keys(&self) -> LogKeys {
        LogKeys::new(self.log_id, &self.index_key, self.body_key.as_deref())
    }

    /// Whether its bodies can still be read.
    pub const fn has_body_key(&self) -> bool {
        self.body_key.is_some()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (kind, number) = match self.name {
            LogName::Ledger { generation } => (1, generation),
            LogName::Window { number } => (2, u64::from(number)),
        };
        out.push(kind);
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&self.log_id);
        out.extend_from_slice(&self.opened.0.to_le_bytes());
        out.extend_from_slice(&self.opened_unix_ms.to_le_bytes());
        out.extend_from_slice(&*self.index_key);
        out.push(u8::from(self.body_key.is_some()));
        if let Some(key) = &self.body_key {
            out.extend_from_slice(&**key);
        }
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let [kind] = take(rest)?;
        let number = u64::from_le_bytes(take(rest)?);
        let name = match kind {
            1 => LogName::Ledger { generation: number },
            2 => LogName::Window { number: u32::try_from(number).ok()? },
            _ => return None,
        };
        Some(Self {
            name,
            log_id: take(rest)?,
            opened: BoxTime(u64::from_le_bytes(take(rest)?)),
            opened_unix_ms: u64::from_le_bytes(take(rest)?),
            index_key: Zeroizing::new(take(rest)?),
            body_key: match take(rest)? {
                [0] => None,
                _ => Some(Zeroizing::new(take(rest)?)),
            },
        })
    }
}

/// What the key file holds.
#[derive(Debug, Clone, Default)]
pub struct KeyTable {
    /// The number of the next window: none is ever used twice.
    pub next_window: u32,
    /// The keys of all logs.
    pub entries: Vec<KeyEntry>,
}

impl KeyTable {
    /// The keys of a log.
    pub fn of(&self, name: LogName) -> Option<&KeyEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Forgets the body key of a log.
    pub fn drop_body_key(&mut self, name: LogName) {
        for entry in self.entries.iter_mut().filter(|entry| entry.name == name) {
            entry.body_key = None;
        }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Reserved whole, so that no half-grown copy with keys in it stays behind in memory.
        let mut out = Zeroizing::new(Vec::with_capacity(TABLE_BYTES_MAX));
        out.extend_from_slice(&self.next_window.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(u32::MAX).to_le_bytes());
        for entry in &self.entries {
            entry.write(&mut out);
        }
        out
    }

    fn from_bytes(mut rest: &[u8]) -> Option<Self> {
        let next_window = u32::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?);
        let entries: Option<Vec<_>> = (0..count).map(|_| KeyEntry::read(&mut rest)).collect();
        rest.is_empty().then_some(Self { next_window, entries: entries? })
    }
}

/// The key file.
#[derive(Debug)]
pub struct KeyStore {
    files: Arc<dyn FileLayer>,
    path: PathBuf,
    file: Arc<dyn LogFile>,
    box_key: BoxKey,
    turn: u64,
    /// The slot that would win if the power went now: it is overwritten last.
    newest: u64,
    table: KeyTable,
}

impl KeyStore {
    /// Makes the key file, whole and synced, with no keys in it.
    ///
    /// # Errors
    /// As the file system says.
    pub fn create(files: &Arc<dyn FileLayer>, folder: &Path, box_key: BoxKey) -> Result<Self, LogError> {
        let path = folder.join(LOG_KEYS_FILE);
        let temporary = path.with_extension("new");
        let doing = "make the key file";
        let table = KeyTable { next_window: 1, entries: Vec::new() };
        let make = || -> io::Result<Arc<dyn LogFile>> {
            files.remove(&temporary)?;
            let file = files.create(&temporary)?;
            for number in 0..2 {
                let slot = slot_bytes(&**files, &box_key, 1, &table)?;
                file.write_at(&slot, number * SLOT_BYTES as u64)?;
            }
            file.sync_all()?;
            files.rename(&temporary, &path)?;
            files.sync_folder(folder)?;
            files.open(&path)
        };
        let file = make().or_disk(doing, &path)?;
        Ok(Self { files: Arc::clone(files), path, file, box_key, turn: 1, newest: 0, table })
    }

    /// Opens the key file and overwrites both slots before this returns, also where they look the same: after a sync that
    /// failed, what is read may never have reached the medium, and there a destroyed key would still be.
    ///
    /// # Errors
    /// [`OpenError::Unreadable`] if neither slot opens under the box key.
    pub fn open(files: &Arc<dyn FileLayer>, folder: &Path, box_key: BoxKey) -> Result<Self, OpenError> {
        let path = folder.join(LOG_KEYS_FILE);
        let file = files.open(&path).or_disk("open the key file", &path)?;
        let slots = [0, 1].map(|number| (read_slot(&*file, &box_key, number), number));
        let best = slots.into_iter().filter_map(|(slot, number)| slot.map(|found| (found, number)));
        let Some(((turn, table), newest)) = best.max_by_key(|((turn, _), _)| *turn) else {
            return Err(OpenError::Unreadable { what: "the key file", path });
        };
        let mut this = Self { files: Arc::clone(files), path, file, box_key, turn, newest, table };
        let table = this.table.clone();
        this.write(table)?;
        Ok(this)
    }

    /// Reads the keys without changing the file.
    ///
    /// # Errors
    /// [`OpenError::Unreadable`] if neither slot opens under the box key.
    pub fn peek(files: &dyn FileLayer, folder: &Path, box_key: &BoxKey) -> Result<KeyTable, OpenError> {
        let path = folder.join(LOG_KEYS_FILE);
        let file = files.open(&path).or_disk("open the key file", &path)?;
        let slots = [0, 1].into_iter().filter_map(|number| read_slot(&*file, box_key, number));
        match slots.max_by_key(|(turn, _)| *turn) {
            Some((_, table)) => Ok(table),
            None => Err(OpenError::Unreadable { what: "the key file", path }),
        }
    }

    /// The keys.
    pub const fn table(&self) -> &KeyTable {
        &self.table
    }

    /// The box key.
    pub const fn box_key(&self) -> &BoxKey {
        &self.box_key
    }

    /// Changes the keys, durably. Whatever the change leaves out is destroyed when this returns.
    ///
    /// # Errors
    /// The earlier keys then still hold; try again.
    pub fn change(&mut self, change: impl FnOnce(&mut KeyTable)) -> Result<(), LogError> {
        let mut table = self.table.clone();
        change(&mut table);
        self.write(table)
    }

    fn write(&mut self, table: KeyTable) -> Result<(), LogError> {
        // Counted up even if the write fails: what it left may have reached the disk.
        self.turn += 1;
        let doing = "store the log's keys";
        let turn = self.turn;
        let mut store = || -> io::Result<()> {
            if self.file.links()? == 0 {
                return Err(io::ErrorKind::NotFound.into());
            }
            let old = self.newest;
            for number in [1 - old, old] {
                if planted!("key-slot-not-overwritten") && number == old {
                    continue;
                }
                let slot = slot_bytes(&*self.files, &self.box_key, turn, &table)?;
                self.file.write_at(&slot, number * SLOT_BYTES as u64)?;
                self.file.sync()?;
                self.newest = number;
            }
            Ok(())
        };
        let stored = store();
        stored.or_disk(doing, &self.path)?;
        self.table = table;
        Ok(())
    }
}

fn slot_bytes(files: &dyn FileLayer, box_key: &BoxKey, turn: u64, table: &KeyTable) -> io::Result<Zeroizing<Vec<u8>>> {
    let secret = random_key(files)?;
    let mut nonce = [0; 24];
    files.fill_random(&mut nonce)?;
    let mut sealed = table.to_bytes();
    if sealed.len() + 16 > TABLE_BYTES_MAX {
        return Err(io::Error::other("too many logs for the key file"));
    }
    let bytes = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    let cipher = wrapping(box_key, &secret);
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), &aad(turn), sealed.as_mut_slice().into())
        .map_err(|_| io::Error::other("the key table is too large"))?;
    let mut slot = Zeroizing::new(Vec::with_capacity(SLOT_BYTES));
    slot.extend_from_slice(&aad(turn));
    slot.resize(TABLE_AT, 0);
    split(files, &secret, slot.get_mut(SPREAD_AT..).unwrap_or_default())?;
    slot.extend_from_slice(&nonce);
    slot.extend_from_slice(&bytes.to_le_bytes());
    slot.extend_from_slice(&sealed);
    slot.extend_from_slice(&tag);
    slot.resize(SLOT_BYTES, 0);
    Ok(slot)
}

fn read_slot(file: &dyn LogFile, box_key: &BoxKey, number: u64) -> Option<(u64, KeyTable)> {
    let mut slot = vec![0; SLOT_BYTES];
    read_exact_at(file, &mut slot, number * SLOT_BYTES as u64).ok()?;
    let mut head: &[u8] = &slot;
    if take::<8>(&mut head)? != *MAGIC {
        return None;
    }
    let turn = u64::from_le_bytes(take(&mut head)?);
    let secret = merge(slot.get(SPREAD_AT..TABLE_AT)?);
    let mut rest = slot.get(TABLE_AT..)?;
    let nonce: [u8; 24] = take(&mut rest)?;
    let bytes = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let (sealed, mut rest) = rest.split_at_checked(bytes)?;
    let tag: Bytes16 = take(&mut rest)?;
    let mut table = Zeroizing::new(sealed.to_vec());
    wrapping(box_key, &secret)
        .decrypt_inout_detached(&XNonce::from(nonce), &aad(turn), table.as_mut_slice().into(), &Tag::from(tag))
        .ok()?;
    Some((turn, KeyTable::from_bytes(&table)?))
}

fn wrapping(box_key: &BoxKey, secret: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*box_key.derive(secret, b"hob/1 log keys")))
}

fn aad(turn: u64) -> [u8; 16] {
    let mut aad = [0; 16];
    let (magic, at) = aad.split_at_mut(8);
    magic.copy_from_slice(MAGIC);
    at.copy_from_slice(&turn.to_le_bytes());
    aad
}

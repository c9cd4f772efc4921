//! The disk as a file system that processes use, by FUSE. The kernel caches nothing, so that each write and read arrives.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use crate::disk::{Disk, Kind, PAGE};
use crate::faults::{Ask, Effect, Faults};

/// Attributes and names are asked for each time.
const NOT_CACHED: Duration = Duration::ZERO;

/// What was done last is remembered for the story of a failure.
const STORY_LINES: usize = 60;

/// Bits of a mode that say what kind of file it is (inode(7)).
const KIND_BITS: u32 = 0o170_000;
const IS_SOCKET: u32 = 0o140_000;
const IS_FILE: u32 = 0o100_000;

/// Modes of fallocate(2) that the disk knows.
const KEEP_SIZE: i32 = 1;
const PUNCH_HOLE: i32 = 2;

/// A disk, what goes wrong on it, and what was done last.
#[derive(Debug, Default)]
pub struct Machine {
    /// The disk.
    pub disk: Disk,
    /// What goes wrong.
    pub faults: Faults,
    story: VecDeque<String>,
    coin: u32,
}

impl Machine {
    /// Asks the faults; tells the story. The name is the one that the inode got last.
    fn ask(&mut self, ask: Ask, number: u64, what: &str) -> Result<(), Effect> {
        let name = self.disk.inode(number).map(|inode| inode.name.to_string_lossy().into_owned()).unwrap_or_default();
        self.ask_of(ask, &name, what)
    }

    fn ask_of(&mut self, ask: Ask, name: &str, what: &str) -> Result<(), Effect> {
        let effect = self.faults.strike(ask, name);
        if ask != Ask::Read {
            let end = effect.map(|effect| format!(": {effect:?}")).unwrap_or_default();
            self.story.push_back(format!("{:>6} {what} {name}{end}", self.faults.changes));
            if self.story.len() > STORY_LINES {
                self.story.pop_front();
            }
        }
        self.coin = self.coin.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        effect.map_or(Ok(()), Err)
    }

    fn coin(&self) -> u32 {
        self.coin >> 8
    }

    /// The last things that were done, one a line.
    pub fn story(&self) -> String {
        self.story.iter().fold(String::new(), |story, line| story + line + "\n")
    }
}

#[derive(Debug)]
struct Shared {
    machine: Mutex<Machine>,
    changed: Condvar,
}

/// A disk that is mounted. Unmounted when dropped.
#[derive(Debug)]
pub struct Mounted {
    shared: Arc<Shared>,
    session: Option<BackgroundSession>,
    at: PathBuf,
}

impl Mounted {
    /// Mounts a disk over a folder.
    ///
    /// # Errors
    /// As mount(2) says: it needs root, or a user and mount namespace of one's own, and /dev/fuse.
    pub fn new(disk: Disk, at: &Path) -> io::Result<Self> {
        let machine = Machine { disk, ..Machine::default() };
        let shared = Arc::new(Shared { machine: Mutex::new(machine), changed: Condvar::new() });
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("faulty-disk".into()),
            MountOption::NoDev,
            MountOption::NoSuid,
            MountOption::NoExec,
        ];
        let session = fuser::spawn_mount(Adapter(Arc::clone(&shared)), at, &config)?;
        Ok(Self { shared, session: Some(session), at: at.to_path_buf() })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// The machine, while nobody else does anything to it.
    pub fn machine(&self) -> MutexGuard<'_, Machine> {
        self.shared.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the power is gone; whether it is.
    pub fn wait_for_the_cut(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut machine = self.machine();
        while !machine.faults.is_frozen {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            let waited = self.shared.changed.wait_timeout(machine, left);
            machine = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Unmounts it; nobody may have a file open.
    ///
    /// # Errors
    /// `EBUSY` while somebody uses it.
    pub fn unmount(mut self) -> io::Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        session.umount_and_join()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever still waits for the disk is let go.
        self.machine().faults.is_frozen = true;
    }
}

#[derive(Debug)]
struct Adapter(Arc<Shared>);

impl Adapter {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something if the faults allow it.
    fn doing<T>(
        &self,
        ask: Ask,
        number: u64,
        what: impl FnOnce() -> String,
        work: impl FnOnce(&mut Machine) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut machine = self.machine();
        let result = match machine.ask(ask, number, &what()) {
            Ok(()) => work(&mut machine),
            Err(effect) => Err(effect.errno()),
        };
        self.tell(&machine);
        result
    }

    /// The same for something that is to get a name, or loses it.
    fn naming<T>(
        &self,
        ask: Ask,
        name: &OsStr,
        what: &str,
        work: impl FnOnce(&mut Machine) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut machine = self.machine();
        let result = match machine.ask_of(ask, &name.to_string_lossy(), what) {
            Ok(()) => work(&mut machine),
            Err(effect) => Err(effect.errno()),
        };
        self.tell(&machine);
        result
    }

    fn tell(&self, machine: &Machine) {
        if machine.faults.is_frozen {
            self.0.changed.notify_all();
        }
    }

    fn sync(&self, number: u64, only_data: bool, reply: ReplyEmpty) {
        let takes = self.machine().faults.sync_takes;
        let shared = Arc::clone(&self.0);
        let work = move || {
            let result = Self(shared).sync_now(number, only_data);
            answer_empty(reply, result);
        };
        if takes.is_zero() {
            work();
        } else {
            // Others read and write meanwhile.
            std::thread::spawn(move || {
                std::thread::sleep(takes);
                work();
            });
        }
    }

    fn sync_now(&self, number: u64, only_data: bool) -> Result<(), Errno> {
        let mut machine = self.machine();
        let what = if only_data { "fdatasync" } else { "fsync" };
        let result = match machine.ask(Ask::Sync, number, what) {
            Ok(()) => machine.disk.sync(number, only_data),
            // With nothing to write there is nothing to refuse.
            Err(Effect::ReadOnly) if !machine.disk.is_dirty(number) => Ok(()),
            Err(effect) => {
                if matches!(effect, Effect::Broken | Effect::BrokenAndEvicted) && !machine.faults.is_frozen {
                    let _ = machine.disk.fail_sync(number, effect == Effect::BrokenAndEvicted);
                }
                Err(effect.errno())
            }
        };
        self.tell(&machine);
        result
    }

    fn attributes(&self, number: u64) -> Result<FileAttr, Errno> {
        attributes_in(&self.machine().disk, number)
    }
}

fn attributes_in(disk: &Disk, number: u64) -> Result<FileAttr, Errno> {
    let inode = disk.inode(number)?;
    let kind = match inode.kind {
        Kind::File => FileType::RegularFile,
        Kind::Folder => FileType::Directory,
        Kind::Socket => FileType::Socket,
    };
    let never = SystemTime::UNIX_EPOCH;
    Ok(FileAttr {
        ino: INodeNo(number),
        size: inode.size,
        blocks: inode.stored_bytes() / 512,
        atime: never,
        mtime: never,
        ctime: never,
        crtime: never,
        kind,
        perm: inode.mode,
        nlink: inode.links,
        uid: inode.owner.0,
        gid: inode.owner.1,
        rdev: 0,
        blksize: PAGE as u32,
        flags: 0,
    })
}

fn answer_empty(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn answer_entry(reply: ReplyEntry, result: Result<FileAttr, Errno>) {
    match result {
        Ok(attributes) => reply.entry(&NOT_CACHED, &attributes, Generation(0)),
        Err(errno) => reply.error(errno),
    }
}

/// Nothing of a file is cached by the kernel.
const DIRECT: FopenFlags = FopenFlags::FOPEN_DIRECT_IO;

impl Filesystem for Adapter {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let disk = &self.machine().disk;
        answer_entry(reply, disk.lookup(parent.0, name).and_then(|number| attributes_in(disk, number)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino.0) {
            Ok(attributes) => reply.attr(&NOT_CACHED, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let result = self.doing(
            Ask::Change,
            ino.0,
            || format!("set size {size:?} mode {mode:?}"),
            |machine| {
                let coin = machine.coin();
                if let Some(size) = size {
                    machine.disk.set_size(ino.0, size, coin)?;
                }
                if let Some(mode) = mode {
                    machine.disk.set_mode(ino.0, (mode & 0o7777) as u16)?;
                }
                attributes_in(&machine.disk, ino.0)
            },
        );
        match result {
            Ok(attributes) => reply.attr(&NOT_CACHED, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn mknod(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: u32, reply: ReplyEntry) {
        let kind = match mode & KIND_BITS {
            IS_SOCKET => Kind::Socket,
            0 | IS_FILE => Kind::File,
            _ => return reply.error(Errno::EPERM),
        };
        let owner = (req.uid(), req.gid());
        answer_entry(
            reply,
            self.naming(Ask::Store, name, "make", |machine| {
                let number = machine.disk.make(parent.0, name, kind, (mode & 0o7777) as u16, owner)?;
                attributes_in(&machine.disk, number)
            }),
        );
    }

    fn mkdir(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let owner = (req.uid(), req.gid());
        answer_entry(
            reply,
            self.naming(Ask::Store, name, "make folder", |machine| {
                let number = machine.disk.make(parent.0, name, Kind::Folder, (mode & 0o7777) as u16, owner)?;
                attributes_in(&machine.disk, number)
            }),
        );
    }

    fn create(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: i32, reply: ReplyCreate) {
        let owner = (req.uid(), req.gid());
        let made = self.naming(Ask::Store, name, "make", |machine| {
            let number = machine.disk.make(parent.0, name, Kind::File, (mode & 0o7777) as u16, owner)?;
            attributes_in(&machine.disk, number)
        });
        match made {
            Ok(attributes) => reply.created(&NOT_CACHED, &attributes, Generation(0), FileHandle(0), DIRECT),
            Err(errno) => reply.error(errno),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.naming(Ask::Change, name, "unlink", |machine| machine.disk.unlink(parent.0, name, false));
        answer_empty(reply, done);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.naming(Ask::Change, name, "remove folder", |machine| machine.disk.unlink(parent.0, name, true));
        answer_empty(reply, done);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.contains(RenameFlags::RENAME_EXCHANGE) || flags.contains(RenameFlags::RENAME_WHITEOUT) {
            return reply.error(Errno::EINVAL);
        }
        let may_replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let what = format!("rename {} to", name.to_string_lossy());
        let done = self.naming(Ask::Change, newname, &what, |machine| {
            machine.disk.rename((parent.0, name), (newparent.0, newname), may_replace)
        });
        answer_empty(reply, done);
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        answer_entry(
            reply,
            self.naming(Ask::Change, newname, "link", |machine| {
                machine.disk.link(ino.0, newparent.0, newname)?;
                attributes_in(&machine.disk, ino.0)
            }),
        );
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        if self.machine().faults.is_frozen {
            return reply.error(Errno::EIO);
        }
        reply.opened(FileHandle(0), DIRECT);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.doing(Ask::Read, ino.0, String::new, |machine| machine.disk.read(ino.0, offset, size as usize));
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.doing(
            Ask::Store,
            ino.0,
            || format!("write {offset}+{}", data.len()),
            |machine| {
                let coin = machine.coin();
                machine.disk.write(ino.0, offset, data, coin)
            },
        );
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(errno) => reply.error(errno),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let end = offset + length;
        let done = match mode {
            0 => self.doing(
                Ask::Store,
                ino.0,
                || format!("reserve to {end}"),
                |machine| machine.disk.reserve(ino.0, end),
            ),
            KEEP_SIZE => Ok(()),
            punch if punch == (KEEP_SIZE | PUNCH_HOLE) => self.doing(
                Ask::Change,
                ino.0,
                || format!("punch {offset}+{length}"),
                |machine| {
                    let coin = machine.coin();
                    machine.disk.punch(ino.0, offset, end, coin)
                },
            ),
            _ => Err(Errno::EOPNOTSUPP),
        };
        answer_empty(reply, done);
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, datasync: bool, reply: ReplyEmpty) {
        self.sync(ino.0, datasync, reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, datasync: bool, reply: ReplyEmpty) {
        self.sync(ino.0, datasync, reply);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let machine = self.machine();
        if machine.faults.is_frozen {
            return reply.error(Errno::EIO);
        }
        let entries = match machine.disk.inode(ino.0) {
            Ok(inode) => &inode.entries,
            Err(errno) => return reply.error(errno),
        };
        // By number, not by place: what is removed while it is read moves nobody's turn.
        let mut listed: Vec<(u64, &OsStr)> = entries.iter().map(|(name, number)| (*number, name.as_os_str())).collect();
        listed.sort_unstable();
        for (number, name) in listed.into_iter().filter(|(number, _)| *number > offset) {
            let kind = match machine.disk.inode(number).map(|inode| inode.kind) {
                Ok(Kind::Folder) => FileType::Directory,
                Ok(Kind::Socket) => FileType::Socket,
                _ => FileType::RegularFile,
            };
            if reply.add(INodeNo(number), number, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        const BLOCKS: u64 = 1 << 20;
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, PAGE as u32, 255, PAGE as u32);
    }
}

//! A disk that hangs: for the processes that are started with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::boxes::{Start, tool};

/// A library that a process loads first, and the folder that it lies in.
pub type Preloaded = (tempfile::TempDir, PathBuf);

/// Compiles one of the C files here, by the compiler that the build of Hob needs anyway.
pub fn preloaded(name: &str) -> Preloaded {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join(format!("{name}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/support/{name}.c"));
    let mut compiler = Command::new(tool("cc", "gcc"));
    let status = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status().unwrap();
    assert!(status.success(), "{name}.c does not compile");
    (folder, library)
}

/// The syncs of some processes, or their reads, which can be held.
pub struct Held {
    folder: tempfile::TempDir,
    variable: &'static str,
}

impl Held {
    /// Syncs, which go on.
    pub fn syncs() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variable: "HOB_TEST_HOLD" }
    }

    /// Reads at an offset, which go on.
    pub fn reads() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variable: "HOB_TEST_HOLD_READS" }
    }

    /// From now on none comes back.
    pub fn hold(&self) {
        std::fs::write(self.file(), "").unwrap();
    }

    /// They go on.
    pub fn release(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    /// Starts boxes with them.
    pub fn on(&self, start: Start) -> Start {
        static BUILT: OnceLock<Preloaded> = OnceLock::new();
        let (_, library) = BUILT.get_or_init(|| preloaded("held"));
        start.env("LD_PRELOAD", library.to_str().unwrap()).env(self.variable, self.file().to_str().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("hold")
    }
}

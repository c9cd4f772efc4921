//! A small ext4 in a file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use hob_tests::boxes::tool;

const BYTES: u64 = 160 << 20;

pub struct Medium {
    image: PathBuf,
    mount: PathBuf,
    is_mounted: bool,
    _folder: tempfile::TempDir,
}

impl Medium {
    pub fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (image, mount) = (folder.path().join("image"), folder.path().join("mount"));
        File::create(&image).unwrap().set_len(BYTES).unwrap();
        fs::create_dir(&mount).unwrap();
        run(Command::new(tool("mkfs.ext4", "e2fsprogs")).args(["-q", "-F"]).arg(&image));
        run(Command::new(tool("mount", "mount")).args(["-o", "loop"]).arg(&image).arg(&mount));
        Self { image, mount, is_mounted: true, _folder: folder }
    }

    /// Where the box lives.
    pub fn data(&self) -> PathBuf {
        self.mount.join("box")
    }

    /// Everything that the medium holds, after it was taken out.
    pub fn raw(&mut self) -> Vec<u8> {
        self.unmount();
        fs::read(&self.image).unwrap()
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.is_mounted) {
            run(Command::new(tool("umount", "mount")).arg(&self.mount));
        }
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        if self.is_mounted {
            // The folder goes next: nothing more can be done about it here.
            let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}; six-hours mounts a file: run it as root");
}

/// Every file under a folder, with its content.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found
}

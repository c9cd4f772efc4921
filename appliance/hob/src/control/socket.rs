//! The socket's file: `DATA/control.sock`, 0600.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The socket's name in the data folder.
pub const NAME: &str = "control.sock";

/// The longest path of a Unix socket, in bytes: `sun_path` has 108 with its final zero (unix(7)).
const PATH_BYTES_MAX: usize = 107;

/// Listens. What a killed box left is removed: the caller holds the data folder, so nobody else listens there.
///
/// # Errors
/// The socket cannot be made.
pub fn listen(data: &Path) -> io::Result<UnixListener> {
    let path = data.join(NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let short = Short::of(data)?;
    let listener = UnixListener::bind(&short.path)?;
    // Until here the folder's 0700 kept others out.
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Opens a connection to the box that runs on a data folder.
///
/// # Errors
/// None runs there, or the socket is another user's.
pub fn connect(data: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Short::of(data)?.path)
}

/// Takes the socket's name away.
pub fn remove(data: &Path) {
    // A name that stays is removed by the next start.
    let _ = fs::remove_file(data.join(NAME));
}

/// A path to the socket that is short enough: through an open folder if need be.
struct Short {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

impl Short {
    fn of(data: &Path) -> io::Result<Self> {
        let path = data.join(NAME);
        if path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let folder = rustix::fs::open(data, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_control_socket_works_in_a_folder_with_a_path_longer_than_a_socket_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d".repeat(200));
        fs::create_dir(&data).unwrap();
        let listener = listen(&data).unwrap();
        assert_eq!(fs::metadata(data.join(NAME)).unwrap().mode() & 0o777, 0o600);
        let mut near = connect(&data).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(b"?").unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"?");
    }

    #[test]
    fn a_socket_that_a_killed_box_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        drop(listen(folder.path()).unwrap());
        assert!(connect(folder.path()).is_err(), "nobody listens");
        let _listener = listen(folder.path()).unwrap();
        assert!(connect(folder.path()).is_ok());
    }
}

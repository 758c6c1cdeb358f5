//! [`Home`]: the one directory of a daemon, what lies where in it, and the lock that keeps a second daemon out.

use super::private;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel's `sun_path` has 108 bytes, the last of which is zero.
const SOCKET_PATH: usize = 107;
/// Where the service that a package installs has its home.
const SERVICE_HOME: &str = "/var/lib/gossip-node";

/// How often a lock that another has is tried again, and after what time.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// A daemon's directory. One directory is one daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
}

/// Proof that this process owns a [`Home`]; the kernel ends it with the process, however that dies.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // A process that is being started at this moment has what this one has open, and would hold the lock for a while.
        let _ = self.file.unlock();
    }
}

/// Why a home could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon has it.
    #[error("another gossip-node (pid {pid}) uses this home")]
    Held {
        /// Its process.
        pid: String,
    },
    /// The lock file cannot be used.
    #[error("cannot lock the home: {0}")]
    Io(#[from] io::Error),
}

impl Home {
    /// The home at `dir`, which need not exist yet.
    pub fn new(dir: PathBuf) -> Home {
        Home { dir }
    }

    /// Where a home is if nobody says: `$GOSSIP_NODE_HOME`, else systemd's `$STATE_DIRECTORY`, else `gossip-node` in
    /// `$XDG_STATE_HOME` or `~/.local/state`; but the service's home, where the package made one, for who may enter it and
    /// has none of his own. `None` if all of these and `$HOME` are unset.
    pub fn default_dir() -> Option<PathBuf> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Home::dir_by(var, Path::new(SERVICE_HOME))
    }

    fn dir_by(var: impl Fn(&str) -> Option<PathBuf>, service: &Path) -> Option<PathBuf> {
        // systemd gives a list where a unit names several directories; the first is the daemon's.
        let state = || {
            let list = var("STATE_DIRECTORY")?;
            let first = list.as_os_str().as_bytes().split(|byte| *byte == b':').next()?;
            Some(PathBuf::from(std::ffi::OsStr::from_bytes(first)))
        };
        // The XDG specification has relative paths ignored.
        let xdg = || var("XDG_STATE_HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join("gossip-node"));
        let user = || var("HOME").map(|dir| dir.join(".local/state/gossip-node"));
        let said = var("GOSSIP_NODE_HOME").or_else(state);
        said.or_else(|| match xdg().or_else(user) {
            Some(own) if own.exists() || fs::read_dir(service).is_err() => Some(own),
            None if fs::read_dir(service).is_err() => None,
            _ => Some(service.to_owned()),
        })
    }

    /// Whether it is that of the service, which its unit starts.
    pub fn is_service(&self) -> bool {
        self.dir == Path::new(SERVICE_HOME)
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The configuration: a [`ServerFile`](super::ServerFile).
    pub fn server_json(&self) -> PathBuf {
        self.dir.join("server.json")
    }

    /// The records.
    pub fn gossip_db(&self) -> PathBuf {
        self.dir.join("gossip.db")
    }

    /// What [`lock_exclusive`](Home::lock_exclusive) locks. It stays when the daemon ends.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The bearer token of the control API over TCP.
    pub fn token(&self) -> PathBuf {
        self.dir.join("token")
    }

    /// Makes the directory, for its owner only, unless it is there.
    pub fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)
    }

    /// Keeps every other daemon out of this home for as long as the lock lives.
    pub fn lock_exclusive(&self) -> Result<HomeLock, LockError> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(self.lock())?;
        private::leave_to_owner(&file, &self.dir)?;
        // Who only looks whether it is in use has it for a moment, too.
        let (mut locked, mut tries) = (file.try_lock(), 0..TRIES);
        while matches!(locked, Err(TryLockError::WouldBlock)) && tries.next().is_some() {
            std::thread::sleep(PAUSE);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Best effort: the other may be writing it just now.
                let _ = file.take(20).read_to_string(&mut pid);
                let pid = pid.trim();
                return Err(LockError::Held { pid: if pid.is_empty() { "unknown" } else { pid }.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(HomeLock { file })
    }

    /// Whether a daemon has this home.
    pub fn is_in_use(&self) -> bool {
        let file = File::open(self.lock());
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Where the daemon's control socket is, the same for daemon and client: `control.sock` in the home if the kernel
    /// takes a path that long, else a name made of the home's in the user's runtime directory.
    pub fn control_socket(&self) -> PathBuf {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
        self.socket_by(runtime)
    }

    fn socket_by(&self, runtime: Option<PathBuf>) -> PathBuf {
        let home = self.canonical();
        let direct = home.join("control.sock");
        if direct.as_os_str().len() <= SOCKET_PATH {
            return direct;
        }
        // A daemon started by a service manager may have had another runtime directory than its user's shell has; it
        // left a link to where it listens.
        if let Ok(target) = fs::read_link(&direct) {
            return target;
        }
        self.remote_socket(&home, runtime)
    }

    fn remote_socket(&self, home: &Path, runtime: Option<PathBuf>) -> PathBuf {
        let hash = Sha256::digest(home.as_os_str().as_bytes());
        let name = format!("{:016x}", hash[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)));
        let fits = |dir: &PathBuf| dir.as_os_str().len() + 1 + name.len() <= SOCKET_PATH;
        let dir = runtime.map(|dir| dir.join("gossip-node")).filter(fits).unwrap_or_else(|| {
            // The home's owner is the daemon's user, whoever asks.
            let uid = fs::metadata(home).map_or(0, |home| home.uid());
            let temp = std::env::temp_dir().join(format!("gossip-node-{uid}"));
            if fits(&temp) { temp } else { PathBuf::from(format!("/tmp/gossip-node-{uid}")) }
        });
        dir.join(name)
    }

    /// For the daemon that holds the lock, before it binds the control socket: makes the directory that the socket is
    /// in, removes what a daemon that died left behind, and returns the path to bind.
    pub fn prepare_control_socket(&self, _lock: &HomeLock) -> io::Result<PathBuf> {
        let link = self.canonical().join("control.sock");
        remove_if_there(&link)?;
        let socket = self.control_socket();
        if socket != link {
            let dir = socket.parent().unwrap_or(Path::new("/"));
            private_dir(dir, fs::metadata(&self.dir)?.uid())?;
            remove_if_there(&socket)?;
        }
        Ok(socket)
    }

    /// For the daemon, after it has bound the socket at `socket`: leaves a link to it in the home, if it is elsewhere.
    pub fn link_control_socket(&self, socket: &Path) -> io::Result<()> {
        let link = self.canonical().join("control.sock");
        if socket == link { Ok(()) } else { std::os::unix::fs::symlink(socket, link) }
    }

    /// For the daemon, when it stops: removes the socket and the link to it.
    pub fn remove_control_socket(&self, _lock: &HomeLock) -> io::Result<()> {
        remove_if_there(&self.control_socket())?;
        remove_if_there(&self.canonical().join("control.sock"))
    }

    /// One name for one home, however it is spelled.
    fn canonical(&self) -> PathBuf {
        fs::canonicalize(&self.dir).or_else(|_| std::path::absolute(&self.dir)).unwrap_or_else(|_| self.dir.clone())
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a directory that nobody but `uid` may enter. Where anybody may write (a temporary directory), somebody else
/// may have made it first: then it is not ours to use.
fn private_dir(dir: &Path, uid: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => (),
    }
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != uid || found.mode() & 0o077 != 0 {
        let why = format!("{} is not a directory for user {uid} alone: remove it", dir.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn temp() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("home"));
        home.create().unwrap();
        (dir, home)
    }

    #[test]
    fn a_home_is_for_its_owner_only() {
        let (_dir, home) = temp();
        assert_eq!(fs::metadata(home.dir()).unwrap().mode() & 0o777, 0o700);
        home.create().expect("it may exist already");
    }

    #[test]
    fn one_home_is_one_daemon() {
        let (_dir, home) = temp();
        let lock = home.lock_exclusive().unwrap();
        match home.lock_exclusive() {
            Err(LockError::Held { pid }) => assert_eq!(pid, std::process::id().to_string()),
            other => panic!("{other:?}"),
        }
        let child = lock.file.try_clone().unwrap();
        drop(lock);
        home.lock_exclusive().expect("the lock ends with its holder, whoever has its file open");
        drop(child);
    }

    #[test]
    fn who_only_looks_is_no_daemon() {
        let (_dir, home) = temp();
        drop(home.lock_exclusive().unwrap());
        let looked = File::open(home.lock()).unwrap();
        looked.try_lock_shared().unwrap();
        let looking = std::thread::spawn(move || {
            std::thread::sleep(2 * PAUSE);
            drop(looked);
        });
        home.lock_exclusive().unwrap();
        looking.join().unwrap();
    }

    #[test]
    fn a_short_home_has_its_socket_inside_however_it_is_spelled() {
        let (_dir, home) = temp();
        let socket = home.control_socket();
        assert_eq!(socket, fs::canonicalize(home.dir()).unwrap().join("control.sock"));
        assert_eq!(Home::new(home.dir().join("../home")).control_socket(), socket);
    }

    #[test]
    fn a_long_home_has_its_socket_elsewhere_and_a_link_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("x".repeat(120)));
        home.create().unwrap();
        let runtime = dir.path().join("run");
        fs::create_dir(&runtime).unwrap();
        let socket = home.socket_by(Some(runtime.clone()));
        assert_eq!(socket.parent(), Some(runtime.join("gossip-node").as_path()));
        assert_eq!(socket.file_name().unwrap().len(), 16);
        assert_eq!(socket, home.socket_by(Some(runtime.clone())), "the same each time");

        private_dir(socket.parent().unwrap(), fs::metadata(home.dir()).unwrap().uid()).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        home.link_control_socket(&socket).unwrap();
        assert_eq!(home.socket_by(None), socket, "a client with another runtime directory follows the link");
        let lock = home.lock_exclusive().unwrap();
        home.remove_control_socket(&lock).unwrap();
        assert!(!socket.exists() && fs::symlink_metadata(home.dir().join("control.sock")).is_err());
    }

    #[test]
    fn a_socket_left_behind_is_replaced() {
        let (_dir, home) = temp();
        drop(UnixListener::bind(home.control_socket()).unwrap());
        let lock = home.lock_exclusive().unwrap();
        let socket = home.prepare_control_socket(&lock).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        home.link_control_socket(&socket).unwrap();
    }

    #[test]
    fn without_a_runtime_directory_a_long_home_uses_one_named_by_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("x".repeat(120)));
        home.create().unwrap();
        let uid = fs::metadata(home.dir()).unwrap().uid();
        let socket = home.socket_by(None);
        assert!(socket.parent().unwrap().ends_with(format!("gossip-node-{uid}")), "{}", socket.display());
        assert!(socket.as_os_str().len() <= SOCKET_PATH);
        let too_long = home.socket_by(Some(PathBuf::from(format!("/{}", "y".repeat(100)))));
        assert_eq!(too_long, socket, "a runtime directory too long for a socket is no help");
    }

    #[test]
    fn a_directory_that_others_may_enter_is_not_used() {
        let (dir, home) = temp();
        let uid = fs::metadata(home.dir()).unwrap().uid();
        let open = dir.path().join("open");
        DirBuilder::new().mode(0o755).create(&open).unwrap();
        assert_eq!(private_dir(&open, uid).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(home.dir(), &link).unwrap();
        assert!(private_dir(&link, uid).is_err());
    }

    #[test]
    fn the_default_home_follows_the_environment() {
        let (dir, _) = temp();
        let at = |vars: &'static [(&str, &str)], service: &Path| {
            let var = |name: &str| vars.iter().find(|(var, _)| *var == name).map(|(_, value)| PathBuf::from(value));
            Home::dir_by(var, service)
        };
        let with = |vars| at(vars, Path::new("/none"));
        // The service's home is for who may enter it and has none of his own.
        let service = dir.path().join("home");
        assert_eq!(at(&[("HOME", "/h")], &service), Some(service.clone()));
        assert_eq!(at(&[], &service), Some(service.clone()));
        assert_eq!(at(&[("XDG_STATE_HOME", "/x"), ("STATE_DIRECTORY", "/s")], &service), Some("/s".into()));
        let own = dir.path().join("own");
        fs::create_dir_all(own.join("gossip-node")).unwrap();
        let var = |name: &str| (name == "XDG_STATE_HOME").then(|| own.clone());
        assert_eq!(Home::dir_by(var, &service), Some(own.join("gossip-node")));
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("HOME", "/h")]), Some("/h/.local/state/gossip-node".into()));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_STATE_HOME", "/x")]), Some("/x/gossip-node".into()));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_STATE_HOME", "x")]), Some("/h/.local/state/gossip-node".into()));
        assert_eq!(with(&[("XDG_STATE_HOME", "/x"), ("STATE_DIRECTORY", "/s:/t")]), Some("/s".into()));
        assert_eq!(with(&[("GOSSIP_NODE_HOME", "g"), ("STATE_DIRECTORY", "/s")]), Some("g".into()));
    }
}

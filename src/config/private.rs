//! Files for their owner alone: refused while others may read them, written so that a crash leaves the old content or the
//! new.

use super::error::ConfigError;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// The first `most` bytes of a file, one more if it is longer. `holds` says what others could get at.
pub(super) fn read(path: &Path, most: u64, holds: &'static str) -> Result<Zeroizing<String>, ConfigError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
        _ => ConfigError::Io { what: format!("cannot read {}", path.display()), source },
    };
    // Before it is opened, since opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ConfigError::Permissions { path: path.to_owned(), mode, holds });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(most + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Keeps others who take it out of the directory of `path` until it is dropped. The home's own lock would not do: a
/// daemon has that for as long as it runs.
pub(super) fn lock_dir(path: &Path) -> Result<File, ConfigError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = directory(&path);
    let lock = || File::open(dir).and_then(|file| file.lock().map(|()| file));
    lock().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing { path: path.clone() },
        _ => ConfigError::Io { what: format!("cannot lock {}", dir.display()), source },
    })
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What root makes while setting up a service is the directory's owner's, or the service could not open it.
pub(super) fn leave_to_owner(file: &File, dir: &Path) -> io::Result<()> {
    let (owner, ours) = (fs::metadata(dir)?, file.metadata()?);
    if ours.uid() == 0 && owner.uid() != 0 {
        std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Writes a file that its owner alone may read: see [`leave_to_owner`]. A link stays a link: what it points to is replaced.
pub(super) fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = directory(&path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let write = || -> io::Result<()> {
        let mut temp = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(dir)?;
        temp.write_all(text.as_bytes())?;
        leave_to_owner(temp.as_file(), dir)?;
        temp.as_file().sync_all()?;
        temp.persist(&path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| ConfigError::Io { what: format!("cannot write {}", path.display()), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_writes_into_the_home_of_another_is_that_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.json");
        let owner = || fs::metadata(&path).map(|found| (found.uid(), found.gid(), found.mode() & 0o777)).unwrap();
        if fs::metadata(dir.path()).unwrap().uid() != 0 {
            return eprintln!("skipped: only root can give files away");
        }
        write(&path, "{}").unwrap();
        assert_eq!(owner(), (0, 0, 0o600));
        std::os::unix::fs::chown(dir.path(), Some(12345), Some(54321)).unwrap();
        write(&path, "{ }").unwrap();
        assert_eq!(owner(), (12345, 54321, 0o600));
        let home = super::super::Home::new(dir.path().to_owned());
        drop(home.lock_exclusive().unwrap());
        assert_eq!(fs::metadata(home.lock()).map(|lock| (lock.uid(), lock.gid())).unwrap(), (12345, 54321));
    }
}

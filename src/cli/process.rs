//! What the system says of a process, where it says so (Linux).

use std::fs;

/// What stands in a line of its status.
pub fn status(process: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let said = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(said.trim().to_owned())
}

/// Bytes of memory, as one of these lines says.
pub fn memory(process: &str, name: &str) -> Option<u64> {
    status(process, name)?.strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_one_has_a_name_and_takes_memory() {
        assert_eq!(status("self", "Tgid"), Some(std::process::id().to_string()));
        let now = memory("self", "VmRSS");
        assert!(now > Some(1 << 20) && memory("self", "VmHWM") >= now);
        assert_eq!((memory("self", "Name"), memory("no process", "VmRSS")), (None, None));
    }
}

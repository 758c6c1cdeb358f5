//! [`HostSet`]: a set of numbered hosts, a bit each.

/// A set of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostSet {
    bits: Vec<u64>,
    len: usize,
}

impl HostSet {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, host: usize) -> bool {
        self.bits.get(host / 64).is_some_and(|word| word >> (host % 64) & 1 == 1)
    }

    /// False if it was there already.
    pub(super) fn insert(&mut self, host: usize) -> bool {
        if self.bits.len() <= host / 64 {
            self.bits.resize(host / 64 + 1, 0);
        }
        let new = !self.contains(host);
        self.bits[host / 64] |= 1 << (host % 64);
        self.len += usize::from(new);
        new
    }

    /// False if it was not there.
    pub(super) fn remove(&mut self, host: usize) -> bool {
        let was_here = self.contains(host);
        if was_here {
            self.bits[host / 64] &= !(1 << (host % 64));
            self.len -= 1;
        }
        was_here
    }
}

impl FromIterator<usize> for HostSet {
    fn from_iter<I: IntoIterator<Item = usize>>(hosts: I) -> HostSet {
        hosts.into_iter().fold(HostSet::default(), |mut crowd, host| {
            crowd.insert(host);
            crowd
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_in_once() {
        let mut crowd: HostSet = [3, 64, 3].into_iter().collect();
        assert_eq!(crowd.len(), 2);
        assert!(crowd.contains(64) && !crowd.contains(1000) && !crowd.insert(64));
        assert!(crowd.remove(64) && !crowd.remove(64) && !crowd.remove(1000));
        assert_eq!(crowd.len(), 1);
    }
}

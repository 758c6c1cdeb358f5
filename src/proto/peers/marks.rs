//! [`Marks`]: those few who said the same, each by a number, without any memory of its own.

use std::ops::Deref;

/// At most `N` different marks, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks<const N: usize> {
    marks: [u32; N],
    len: u8,
}

impl<const N: usize> Default for Marks<N> {
    fn default() -> Marks<N> {
        Marks { marks: [0; N], len: 0 }
    }
}

impl<const N: usize> Marks<N> {
    /// False if it is there already, or there is no room.
    pub(super) fn insert(&mut self, mark: u32) -> bool {
        let is_new = !self.contains(&mark) && self.len() < N;
        if is_new {
            self.marks[usize::from(self.len)] = mark;
            self.len += 1;
        }
        is_new
    }
}

impl<const N: usize> Deref for Marks<N> {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.marks[..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once_and_no_more_than_there_is_room_for() {
        let mut marks = Marks::<3>::default();
        assert_eq!([7, 0, 7, 9, 8].map(|mark| marks.insert(mark)), [true, true, false, true, false]);
        assert_eq!(*marks, [7, 0, 9]);
    }
}

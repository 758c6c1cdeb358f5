//! [`can_lack`]: the rules of a part of the core have names, and a test can take one of them away, to see that it was needed.

/// Gives a type with a field `lacking: Option<Rule>` in tests the question whether a rule was taken away; elsewhere none
/// is, and the compiler leaves the question out.
macro_rules! can_lack {
    ($($part:ty),+) => { $(
        impl $part {
            #[cfg(test)]
            pub(super) fn lacks(&self, rule: Rule) -> bool {
                self.lacking == Some(rule)
            }

            #[cfg(not(test))]
            pub(super) const fn lacks(&self, _: Rule) -> bool {
                false
            }
        }
    )+ };
}

pub(super) use can_lack;

//! [`Lines`]: input line by line, of which none takes more memory than a line may.

use super::failure::{Exit, Failure};
use std::io::{self, BufRead, Read};

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// What it says.
    Whole(Vec<u8>),
    /// It is longer than a line may be; what comes next is the line behind it.
    TooLong,
}

/// See the module.
pub struct Lines {
    from: Box<dyn BufRead>,
    name: String,
    most: usize,
    /// Lines so far.
    pub number: u64,
}

impl Lines {
    /// The lines of `from`, which people call by `name`; each has at most so many bytes.
    pub fn new(from: Box<dyn BufRead>, name: impl Into<String>, most: usize) -> Lines {
        Lines { from, name: name.into(), most, number: 0 }
    }

    /// Those of standard input.
    pub fn of_stdin(most: usize) -> Lines {
        Lines::new(Box::new(io::stdin().lock()), "standard input", most)
    }

    /// The next one.
    pub fn next(&mut self) -> Result<Option<Line>, Failure> {
        self.read().map_err(|error| Failure::new(Exit::No, format!("cannot read {}", self.name)).why(error.to_string()))
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        let read = (&mut self.from).take(self.most as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if read > self.most {
            self.from.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Whole(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_and_one_that_is_too_long_is_passed_over_as_a_whole() {
        let mut lines = Lines::new(Box::new(&b"one\n\nlonger\nfour\nlast"[..]), "x", 4);
        let whole = |text: &str| Some(Line::Whole(text.into()));
        for expected in [whole("one"), whole(""), Some(Line::TooLong), whole("four"), whole("last"), None] {
            assert_eq!(lines.next().unwrap(), expected);
        }
        assert_eq!(lines.number, 5);
        // However long it is, it takes no memory.
        let endless = io::BufReader::new(io::repeat(b'x').take(1 << 30));
        assert_eq!(Lines::new(Box::new(endless), "x", 4).next().unwrap(), Some(Line::TooLong));
    }
}

//! How far an input has come, kept in a small file, so that the next run goes on from there.
//!
//! A line is through when it was judged: accepted, anonymous or rejected. One that failed is not,
//! and the file stays before it. The input is known again by its first line.
//!
//! **Invariant**: every line up to the one in the file is through.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use command::ending::Stopped;
use serde::{Deserialize, Serialize};

use super::lines::{Input, Line};

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    /// Every line up to this one is through.
    through: u64,
    /// A digest of the first line.
    first_line: String,
}

/// The file, and what is through beyond it.
#[derive(Debug, Default)]
pub(super) struct Resume {
    path: Option<PathBuf>,
    kept: Kept,
    /// Lines that are through, each by the one that must be through before it.
    beyond: BTreeMap<u64, u64>,
}

impl Resume {
    /// What the file says; one that is not there says nothing yet.
    ///
    /// # Errors
    /// [`Stopped::Usage`], when it is something else.
    pub(super) fn read(path: Option<PathBuf>) -> Result<Self, Stopped> {
        let Some(path) = path else { return Ok(Self::default()) };
        let kept = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| {
                Stopped::Usage(format!(
                    "{} keeps no progress of `track`; hint: name a file that it may make",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(unusable(&path, &error)),
        };
        Ok(Self { path: Some(path), kept, beyond: BTreeMap::new() })
    }

    /// Where the input is to be taken up.
    pub(super) fn input(&self) -> Input {
        let Kept { through, first_line } = &self.kept;
        Input::from(*through, (*through > 0).then(|| first_line.clone()))
    }

    /// A line is through.
    pub(super) fn through(&mut self, line: &Line) {
        if line.after == 0 {
            self.kept.first_line = line.digest();
        }
        self.beyond.insert(line.after, line.number);
        while let Some(number) = self.beyond.remove(&self.kept.through) {
            self.kept.through = number;
        }
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Stopped::Usage`], when it can't be written.
    pub(super) fn write(&self) -> Result<(), Stopped> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_vec(&self.kept)
            .map_err(|error| unusable(path, &std::io::Error::other(error)))?;
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|error| unusable(path, &error))
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Stopped {
    Stopped::Usage(format!(
        "the progress can't be kept in {}: {error}; hint: name with --resume a file that you may \
         write",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_passed_when_all_before_it_are_through() {
        let line = |after, number| Line { after, ..Line::of_text(number, b"{}") };
        let mut resume = Resume::default();
        resume.through(&line(3, 5));
        assert_eq!(resume.kept.through, 0);
        resume.through(&line(0, 1));
        assert_eq!(resume.kept.through, 1);
        resume.through(&line(1, 3));
        assert_eq!(resume.kept.through, 5);
        assert_eq!(resume.kept.first_line, Line::of_text(1, b"{}").digest());
    }
}

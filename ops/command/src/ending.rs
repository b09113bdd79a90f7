//! How a command ended, and the exit code that says so to a script.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | something was found, or a part failed |
//! | 2 | usage: an argument, a setting or a file is wrong |
//! | 3 | the other side failed: Milepost's server, or HubSpot |

use std::process::ExitCode;

use shared::settings::WrongSetting;

/// A command that went through to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it should be.
    Done,
    /// It found something, or failed in part, and has said so.
    Found,
}

/// A command that could not go through. The text says why, and ends in a hint if there is one.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// What it was given is wrong.
    #[error("{0}")]
    Usage(String),
    /// The other side did not answer, or refused.
    #[error("{0}")]
    OtherSide(String),
    /// Standard output can't be written.
    #[error("standard output can't be written: {0}")]
    Output(std::io::Error),
    /// Nobody reads standard output any more, as in `milepost … | head`. That isn't an error.
    #[error("nobody reads standard output")]
    NobodyReads,
}

impl Stopped {
    /// The text to print, if there is one.
    pub fn text(&self) -> Option<String> {
        (!matches!(self, Self::NobodyReads)).then(|| self.to_string())
    }
}

impl From<WrongSetting> for Stopped {
    fn from(wrong: WrongSetting) -> Self {
        Self::Usage(wrong.to_string())
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::SUCCESS,
            Ending::Found => Self::from(1),
        }
    }
}

impl From<Stopped> for ExitCode {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::NobodyReads => Self::SUCCESS,
            Stopped::Output(_) => Self::from(1),
            Stopped::Usage(_) => Self::from(2),
            Stopped::OtherSide(_) => Self::from(3),
        }
    }
}

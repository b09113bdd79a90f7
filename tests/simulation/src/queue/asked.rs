//! What a queue was asked, counted as SQS bills it: a request for each ten messages, whatever comes
//! of it.

/// SQS: the most messages of one request.
const MESSAGES_MAX: usize = 10;

/// Requests so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// To take messages in.
    pub sends: u64,
    /// To wait for messages and give some: an event source's.
    pub polls: u64,
    /// Those of them that were given some: invocations.
    pub invocations: u64,
    /// To give what is there: a worker's, that tops up.
    pub receives: u64,
    /// To delete messages, or to hide them for longer.
    pub settles: u64,
}

impl Asked {
    /// All of them.
    pub fn requests(self) -> u64 {
        self.sends + self.polls + self.receives + self.settles
    }
}

/// The requests that so many messages take.
pub(super) fn requests(messages: usize) -> u64 {
    messages.div_ceil(MESSAGES_MAX) as u64
}

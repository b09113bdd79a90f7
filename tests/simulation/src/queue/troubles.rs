//! What SQS may do on a bad day, and how often.

/// How often each trouble meets a message or a call, as probabilities.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubles {
    /// A call, or one message of it, is refused for the moment and not done.
    pub throttled: f64,
    /// It is done, and the answer is lost.
    pub lost: f64,
    /// A message's visibility ends in the moment in which it is to be deleted.
    pub stale: f64,
    /// A message that was deleted comes once more.
    pub twice: f64,
    /// A group is not given out for a while, though it is open.
    pub held_back: f64,
    /// A call takes up to two seconds.
    pub slow: f64,
    /// Nothing is answered at all.
    pub away: bool,
}

impl Troubles {
    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        let Self { throttled, lost, stale, twice, held_back, slow, away } = *self;
        away || throttled + lost + stale + twice + held_back + slow > 0.0
    }
}

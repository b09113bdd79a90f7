//! Sending again what a queue did not answer for.
//!
//! In: messages, and after each send the queue's answers. Out: what to send next, and in the end one
//! result for each message. Sending again is harmless: the deduplication id makes the queue store a
//! message once, and the join absorbs what comes twice. Whoever sends decides on the pauses.
//!
//! **Invariant**: a message that the queue has taken or refused is never sent again, and none is sent
//! more often than [`Resend::new`] allows.

use crate::ports::{Outgoing, QueueFault};

/// A send under way.
#[derive(Debug)]
pub struct Resend {
    messages: Vec<Outgoing>,
    results: Vec<Result<(), QueueFault>>,
    sends_left: u32,
}

impl Resend {
    /// Messages to be sent at most `sends_max` times each.
    pub fn new(messages: Vec<Outgoing>, sends_max: u32) -> Self {
        let late = || QueueFault::Unavailable("no answer in time".to_owned());
        let results = messages.iter().map(|_| Err(late())).collect();
        Self { messages, results, sends_left: sends_max }
    }

    /// The messages to send now, in order: those that the queue has not answered for. `None` when
    /// there are none, or when they have been sent often enough.
    pub fn due(&mut self) -> Option<Vec<Outgoing>> {
        let open = self.open();
        self.sends_left = self.sends_left.checked_sub(1)?;
        (!open.is_empty()).then(|| open.iter().map(|place| self.messages[*place].clone()).collect())
    }

    /// Takes the queue's answers to what [`Self::due`] gave, in its order.
    pub fn answered(&mut self, answers: Vec<Result<(), QueueFault>>) {
        for (place, answer) in self.open().into_iter().zip(answers) {
            self.results[place] = answer;
        }
    }

    /// One result for each message, in order.
    pub fn into_results(self) -> Vec<Result<(), QueueFault>> {
        self.results
    }

    fn open(&self) -> Vec<usize> {
        let is_open =
            |place: &usize| matches!(self.results[*place], Err(QueueFault::Unavailable(_)));
        (0..self.results.len()).filter(is_open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Outgoing {
        Outgoing {
            body: body.into(),
            group: "g".into(),
            deduplication_id: body.into(),
            attributes: Default::default(),
        }
    }

    fn lost() -> Result<(), QueueFault> {
        Err(QueueFault::Unavailable("lost".into()))
    }

    #[test]
    fn only_what_the_queue_did_not_answer_for_is_sent_again() {
        let refused = || Err(QueueFault::Refused("too long".into()));
        let mut resend = Resend::new(["a", "b", "c"].map(message).into(), 3);
        assert_eq!(resend.due(), Some(["a", "b", "c"].map(message).into()));
        resend.answered(vec![lost(), refused(), lost()]);
        assert_eq!(resend.due(), Some(["a", "c"].map(message).into()));
        resend.answered(vec![lost(), Ok(())]);
        assert_eq!(resend.due(), Some(vec![message("a")]));
        resend.answered(vec![Ok(())]);
        assert_eq!(resend.due(), None);
        assert_eq!(resend.into_results(), [Ok(()), refused(), Ok(())]);
    }

    #[test]
    fn a_message_is_sent_as_often_as_allowed_and_no_more() {
        let mut resend = Resend::new(vec![message("a")], 2);
        for _ in 0..2 {
            assert!(resend.due().is_some());
            resend.answered(vec![lost()]);
        }
        assert_eq!(resend.due(), None);
        assert_eq!(resend.into_results(), [lost()]);
        assert_eq!(Resend::new(Vec::new(), 2).due(), None);
    }
}

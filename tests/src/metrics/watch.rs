//! Whoever watches a site: once a minute, what ingest and worker told their journal since, and how
//! the two queues stand, under the names that the template's alarms look at.
//!
//! **Invariant**: each figure that was told stands in one minute.

use shared::journal::Figure;
use shared::ports::Clock;
pub use simulation::journal::KeptJournal;
use sqlite::SqliteQueues;

use super::Metric;
use super::recording::Recording;

/// The figures that alarms look at, and who writes them.
const FIGURES: [(Figure, &str); 6] = [
    (Figure::EventsAccepted, "ingest"),
    (Figure::EventsFallback, "ingest"),
    (Figure::EventsApplied, "worker"),
    (Figure::Parked, "worker"),
    (Figure::ContactsCreated, "worker"),
    (Figure::DailyRemaining, "worker"),
];

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// The figures, by the minute.
    pub recording: Recording,
    /// How many minutes have passed.
    pub minute: usize,
    /// How many figures of the journal stand in the recording.
    noted: usize,
}

impl Watch {
    /// One more value in the present minute.
    pub fn note(&mut self, metric: &Metric, value: f64) {
        self.recording.add(metric, self.minute, value);
    }

    /// Notes what a minute has brought, and begins the next.
    ///
    /// # Panics
    /// When a queue does not answer.
    #[expect(clippy::unwrap_used, reason = "a queue that does not answer fails the test")]
    pub async fn minute_passed(
        &mut self,
        journal: &KeptJournal,
        queues: &SqliteQueues,
        clock: &dyn Clock,
    ) {
        let told = journal.figures_from(self.noted);
        self.noted += told.len();
        for (figure, value) in told {
            if let Some((_, function)) = FIGURES.iter().find(|(one, _)| *one == figure) {
                self.note(&ours(figure, function), value);
            }
        }

        let depth = queues.events().depth().await.unwrap();
        let oldest = queues.oldest_event().await.unwrap();
        let age = oldest.and_then(|at| (clock.now() - at).to_std().ok()).unwrap_or_default();
        self.note(&of_queue("EventsQueue", "ApproximateAgeOfOldestMessage"), age.as_secs_f64());
        self.note(&visible_in("EventsQueue"), depth.visible as f64);
        let dead = queues.dead_letters().depth().await.unwrap();
        self.note(&visible_in("DeadLetterQueue"), dead.visible as f64);
        self.minute += 1;
    }
}

/// A metric that a function of ours writes.
pub fn ours(figure: Figure, function: &str) -> Metric {
    Metric::new("Milepost", figure.name(), &[("stage", "Stage"), ("function", function)])
}

/// How many messages can be received from a queue, by the queue's name in the template.
pub fn visible_in(queue: &str) -> Metric {
    of_queue(queue, "ApproximateNumberOfMessagesVisible")
}

fn of_queue(queue: &str, name: &str) -> Metric {
    Metric::new("AWS/SQS", name, &[("QueueName", &format!("{queue}.QueueName"))])
}

//! What else happens to a log than that lines arrive, at once or between two pages of a read.

use super::line::Line;
use super::log::{Order, Purge};
use crate::event::EventType;

/// The hostname of every line where the vendor's privacy setting is on.
pub const PRIVATE: &str = "<private>";

/// A change of one log. Lines that are rewritten or removed stay in the truth as they were logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Lines are logged, whatever their dates and their log.
    Append(Vec<Line>),
    Purge(Purge),
    /// A host's name in the lines already logged becomes another.
    Rename {
        from: String,
        to: String,
    },
    /// Every hostname becomes `<private>`, in lines already logged and in those to come.
    HideHosts,
    /// Both logs are shown in this order from now on.
    Turn(Order),
}

/// Changes that wait for answers, in the order in which they were planned.
#[derive(Clone, Debug, Default)]
pub struct Plans(Vec<Planned>);

#[derive(Clone, Debug)]
struct Planned {
    event_type: EventType,
    /// Answers to let pass still, at least 1.
    answers: u64,
    change: Change,
}

impl Plans {
    /// Plans a change of a log for the moment after its next `answers` answers; 0 is read as 1.
    pub fn add(&mut self, event_type: EventType, answers: u64, change: Change) {
        self.0.push(Planned {
            event_type,
            answers: answers.max(1),
            change,
        });
    }

    /// Notes an answer of this log, and gives the changes that follow it.
    pub fn after_answer(&mut self, event_type: EventType) -> Vec<Change> {
        let mut due = Vec::new();
        for mut planned in std::mem::take(&mut self.0) {
            planned.answers -= u64::from(planned.event_type == event_type);
            if planned.answers == 0 {
                due.push(planned.change);
            } else {
                self.0.push(planned);
            }
        }
        due
    }

    /// Changes that have not come yet.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_follows_the_answer_that_it_was_planned_for() {
        let mut plans = Plans::default();
        plans.add(EventType::Device, 2, Change::HideHosts);
        plans.add(EventType::Admin, 1, Change::Turn(Order::OldestFirst));
        assert_eq!(plans.after_answer(EventType::Device), []);
        assert_eq!(plans.len(), 2);
        let turned = plans.after_answer(EventType::Admin);
        assert_eq!(turned, [Change::Turn(Order::OldestFirst)]);
        assert_eq!(plans.after_answer(EventType::Device), [Change::HideHosts]);
        assert_eq!(plans.len(), 0);
    }
}

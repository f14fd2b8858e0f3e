//! A task that is never to end by itself, and tells when it does.

use std::fmt::{self, Display};

use tokio::sync::mpsc;

use crate::event::Account;

/// What a task does.
#[derive(Clone, Debug)]
pub enum Task {
    Refreshes(Account),
    Beats,
    Looks,
}

impl Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refreshes(account) => write!(f, "refreshes the counts of account {account}"),
            Self::Beats => f.write_str("tells the other replicas that this one lives"),
            Self::Looks => f.write_str("shows what the other replicas count"),
        }
    }
}

/// Is told of tasks that broke off: without them counts would be shown as they were for ever.
pub type Alarms = mpsc::UnboundedSender<Task>;

/// Tells of a task that ends without having disarmed it.
#[derive(Debug)]
pub(super) struct Alarm {
    task: Task,
    alarms: Alarms,
    is_armed: bool,
}

impl Alarm {
    pub(super) fn of(task: Task, alarms: &Alarms) -> Self {
        Self {
            task,
            alarms: alarms.clone(),
            is_armed: true,
        }
    }

    pub(super) fn disarm(mut self) {
        self.is_armed = false;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.is_armed {
            // Nobody listens while the program ends.
            let _ = self.alarms.send(self.task.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_breaks_off_is_told_and_one_that_ends_is_not() {
        let (alarms, mut told) = mpsc::unbounded_channel();
        let ends = Alarm::of(Task::Looks, &alarms);
        tokio::spawn(async move { ends.disarm() }).await.unwrap();
        assert!(told.try_recv().is_err());
        let breaks_off = Alarm::of(Task::Beats, &alarms);
        let task = tokio::spawn(async move {
            let _armed = breaks_off;
            panic!("of the test");
        });
        assert!(task.await.is_err());
        let task = told.recv().await.unwrap().to_string();
        assert_eq!(task, "tells the other replicas that this one lives");
    }
}

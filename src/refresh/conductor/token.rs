//! The access token of a request: the one that is held, or one that is fetched for it.

use super::paying::Purpose;
use super::{Conductor, Obstacle};
use crate::clock;
use crate::config::Secret;
use crate::refresh::access::{Due, Found, Trouble};

impl Conductor {
    /// The token by which a request of this log is sent.
    pub(super) async fn token(&mut self, turn: usize) -> Result<Secret, Obstacle> {
        let found = self.refresher.access().token().await;
        let trouble = match found {
            Found::Token(token) => return Ok(token),
            // It waits for a request that needs one.
            Found::Due(_) if self.is_to_spare(turn) => {
                return Err(Obstacle::NotBefore(clock::now()));
            }
            Found::Due(due) => {
                if let Some(token) = self.token_for_the_only_request() {
                    return Ok(token);
                }
                match self.fetch(turn, due).await {
                    Ok(Ok(token)) => return Ok(token),
                    Ok(Err(trouble)) => trouble,
                    // There may be a request left for a page.
                    Err(obstacle) => return self.refresher.access().still_good().ok_or(obstacle),
                }
            }
            Found::Failing(trouble) => trouble,
        };
        match self.refresher.access().still_good() {
            Some(token) => {
                self.report.not_renewed(&trouble);
                Ok(token)
            }
            None => Err(Obstacle::Failed(trouble)),
        }
    }

    /// The token that is held and ends before there is another request, where there is one in a window:
    /// spent on the next token, it would find that one due again, and never a page.
    fn token_for_the_only_request(&self) -> Option<Secret> {
        let limit = self.refresher.budget().limit();
        let access = self.refresher.access();
        let next = clock::now().plus(limit.window);
        let is_the_last_chance = limit.requests == 1 && access.token_ends()? < next;
        access.still_good().filter(|_| is_the_last_chance)
    }

    /// Asks for a token, which costs a place of the window as every request does.
    async fn fetch(&mut self, turn: usize, due: Due) -> Result<Result<Secret, Trouble>, Obstacle> {
        let paid = self.pay(turn, Purpose::Token).await?;
        let Some(slot) = self.is_sent(paid) else {
            return Err(Obstacle::NotBefore(clock::now()));
        };
        let sent = clock::now();
        let reply = self.source.client.token(&due.id, &due.secret).await;
        let took = clock::now().since(sent);
        self.obey(slot, &reply);
        self.report.request(reply.status, took);
        self.report.token_request(reply.status);
        let access = self.refresher.access();
        Ok(match reply.outcome {
            Ok(fresh) => {
                access.fetched(sent, &fresh);
                self.report.renewed();
                Ok(fresh.token)
            }
            Err(failure) => {
                let asked = "an access token was asked for";
                let detail = reply.detail.map(|detail| format!("{asked}: {detail}"));
                let trouble = Trouble {
                    failure,
                    detail: Some(detail.unwrap_or_else(|| asked.to_owned())),
                };
                access.not_fetched(&trouble);
                Err(trouble)
            }
        })
    }
}

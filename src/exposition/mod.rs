//! Counts to what a scrape is answered with: the text format of Prometheus or OpenMetrics, compressed
//! or not.
//!
//! What changes with a refresh is written after it, once, as a [`Piece`] of text with its compressed
//! form; of the events only the pieces that hold a changed series. A scrape puts the pieces in a row
//! and writes what is left, which is little. Both formats write a counter's sample alike, so that
//! they share the pieces; and a gzip stream may be made of parts that were compressed apart.

mod events;
mod format;
mod negotiation;
mod piece;

pub use events::EventsText;
pub use format::{Format, label_into};
pub use negotiation::{Wanted, wanted};
pub use piece::{Piece, Row};

use bytes::Bytes;

use piece::Gzip;

/// The body of an answer, in the parts of which it is made: the head of the event counters, those of
/// each account, and the other metrics, all in the same format: those that were written before, and
/// those that are new with every scrape.
pub fn body<'a>(
    wanted: Wanted,
    accounts: impl Iterator<Item = &'a Row>,
    settled: &Piece,
    mut live: String,
) -> Vec<Bytes> {
    let head = format::head(wanted.format);
    live.push_str(wanted.format.end());
    if wanted.gzip {
        let mut gzip = Gzip::new();
        gzip.add(head);
        accounts.for_each(|row| gzip.add_row(row));
        gzip.add(settled);
        gzip.add_stored(&live);
        return gzip.end();
    }
    let accounts = accounts.flat_map(Row::pieces);
    let accounts = accounts.map(|piece| piece.text().clone());
    std::iter::once(head.text().clone())
        .chain(accounts)
        .chain([settled.text().clone(), live.into()])
        .collect()
}

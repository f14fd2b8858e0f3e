//! A piece of text with its compressed form, and pieces as one gzip stream.

use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress};

/// Some whole lines of an exposition. A clone is the same bytes.
#[derive(Clone, Debug)]
pub struct Piece {
    text: Bytes,
    /// The text as blocks of deflate (RFC 1951) that end at a whole byte, none of them the last.
    deflated: Bytes,
    /// The CRC-32 of the text, as far as it is.
    crc: Hasher,
}

/// How a member of gzip begins (RFC 1952): deflate, no flags, no time, fastest, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// An empty last block of deflate.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// How a block of deflate begins that is not the last and not compressed, after a whole byte.
const STORED_BLOCK: u8 = 0;

/// The most bytes of such a block.
const LONGEST_STORED: u16 = u16::MAX;

/// More than the blocks and the flush of any text take beside what it compresses to.
const DEFLATE_ROOM: usize = 64;

impl Piece {
    /// Compresses the text once, for as often as it is sent.
    pub fn new(text: String) -> Self {
        let mut crc = Hasher::new();
        crc.update(text.as_bytes());
        Self {
            deflated: deflated(text.as_bytes()).into(),
            text: text.into(),
            crc,
        }
    }

    pub fn text(&self) -> &Bytes {
        &self.text
    }
}

/// Pieces that follow each other. A clone is the same pieces.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pieces: Arc<[Piece]>,
    /// Their blocks of deflate in one: so small that copying them with each change costs less than
    /// sending them apart with each scrape.
    deflated: Bytes,
    /// The CRC-32 of all their text.
    crc: Hasher,
    length: usize,
}

impl Row {
    /// Combines what a scrape would have to combine otherwise, each time.
    pub fn new(pieces: impl Iterator<Item = Piece>) -> Self {
        let pieces: Arc<[Piece]> = pieces.collect();
        let mut crc = Hasher::new();
        pieces.iter().for_each(|piece| crc.combine(&piece.crc));
        let mut deflated = Vec::with_capacity(pieces.iter().map(|p| p.deflated.len()).sum());
        for piece in pieces.iter() {
            deflated.extend_from_slice(&piece.deflated);
        }
        Self {
            deflated: deflated.into(),
            crc,
            length: pieces.iter().map(|piece| piece.text.len()).sum(),
            pieces,
        }
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

/// One gzip member, in the parts of which it is made.
#[derive(Debug)]
pub(super) struct Gzip {
    parts: Vec<Bytes>,
    crc: Hasher,
    /// Told modulo 2^32.
    length: u32,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            parts: vec![Bytes::from_static(&GZIP_HEAD)],
            crc: Hasher::new(),
            length: 0,
        }
    }

    pub(super) fn add(&mut self, piece: &Piece) {
        self.parts.push(piece.deflated.clone());
        self.crc.combine(&piece.crc);
        self.length = self.length.wrapping_add(piece.text.len() as u32);
    }

    pub(super) fn add_row(&mut self, row: &Row) {
        self.parts.push(row.deflated.clone());
        self.crc.combine(&row.crc);
        self.length = self.length.wrapping_add(row.length as u32);
    }

    /// A text that is sent once: compressing it would take longer than sending it as it is.
    pub(super) fn add_stored(&mut self, text: &str) {
        let mut blocks = Vec::with_capacity(text.len() + DEFLATE_ROOM);
        for stored in text.as_bytes().chunks(LONGEST_STORED.into()) {
            let length = u16::try_from(stored.len()).unwrap_or(LONGEST_STORED);
            blocks.push(STORED_BLOCK);
            blocks.extend_from_slice(&length.to_le_bytes());
            blocks.extend_from_slice(&(!length).to_le_bytes());
            blocks.extend_from_slice(stored);
        }
        self.parts.push(blocks.into());
        self.crc.update(text.as_bytes());
        self.length = self.length.wrapping_add(text.len() as u32);
    }

    pub(super) fn end(mut self) -> Vec<Bytes> {
        let end = [
            &LAST_BLOCK[..],
            &self.crc.finalize().to_le_bytes(),
            &self.length.to_le_bytes(),
        ];
        self.parts.push(end.concat().into());
        self.parts
    }
}

/// The text compressed fast: the exposition is so repetitive that trying harder gains little.
fn deflated(text: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::fast(), false);
    let mut deflated = Vec::with_capacity(text.len() / 8 + DEFLATE_ROOM);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(text.len());
        let rest = text.get(taken..).unwrap_or_default();
        // Compressing into memory that is there cannot fail; where it takes nothing, there is room
        // lacking for what it has.
        let _ = compress.compress_vec(rest, &mut deflated, FlushCompress::Sync);
        let is_all_in = compress.total_in() >= text.len() as u64;
        if is_all_in && deflated.len() < deflated.capacity() {
            deflated.shrink_to_fit();
            return deflated;
        }
        deflated.reserve(deflated.capacity() / 2 + DEFLATE_ROOM);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn zipped(pieces: &[Piece]) -> Vec<u8> {
        let mut gzip = Gzip::new();
        pieces.iter().for_each(|piece| gzip.add(piece));
        gzip.end().concat()
    }

    fn unzipped(pieces: &[Piece]) -> (String, usize) {
        let zipped = zipped(pieces);
        let mut decoder = GzDecoder::new(&zipped[..]);
        let mut text = String::new();
        decoder.read_to_string(&mut text).expect("a gzip stream");
        (text, decoder.into_inner().len())
    }

    #[test]
    fn pieces_are_one_stream_of_gzip() {
        let pieces: Vec<Piece> = ["", "a 1\n", "", "b 2\n"]
            .map(|text| Piece::new(text.to_owned()))
            .into();
        assert_eq!(unzipped(&pieces), ("a 1\nb 2\n".to_owned(), 0));
        assert_eq!(unzipped(&[]), (String::new(), 0));
    }

    #[test]
    fn an_exposition_shrinks_to_a_fifth_at_most() {
        let line = |n| format!("metaaccess_events_total{{hostname=\"TEST-{n:05}\"}} 1\n");
        let piece = Piece::new((0..1000).map(line).collect());
        assert!(piece.deflated.len() * 5 < piece.text.len());
    }

    #[test]
    fn a_text_that_is_not_compressed_may_be_longer_than_a_block() {
        for length in [0, 1, 65_535, 65_536, 200_000] {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let mut gzip = Gzip::new();
            gzip.add(&Piece::new("before\n".to_owned()));
            gzip.add_stored(&text);
            let zipped = gzip.end().concat();
            let mut decoder = GzDecoder::new(&zipped[..]);
            let mut read = String::new();
            decoder.read_to_string(&mut read).expect("a gzip stream");
            assert_eq!(read, format!("before\n{text}"));
            assert!(decoder.into_inner().is_empty());
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(texts in prop::collection::vec("\\PC{0,2000}", 0..5), random: Vec<char>) {
            // What does not compress takes more room than it had.
            let texts: Vec<String> = texts.into_iter().chain([random.into_iter().collect()]).collect();
            let pieces: Vec<Piece> = texts.iter().cloned().map(Piece::new).collect();
            let mut gzip = Gzip::new();
            gzip.add_row(&Row::new(pieces.iter().cloned()));
            gzip.add_row(&Row::default());
            prop_assert_eq!(gzip.end().concat(), zipped(&pieces));
            prop_assert_eq!(unzipped(&pieces), (texts.concat(), 0));
        }
    }
}

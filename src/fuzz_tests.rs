//! Inputs that nobody would think of, for whatever reads what others wrote: texts that are right, made
//! wrong in many ways, and bytes of chance. Each reader has laws that hold for all of them.
//!
//! The ordinary tests try some thousands, the same ones each time; `tests/fuzz` others, for as long as
//! it is told.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::clock;
use crate::moment::Moment;

/// For how many seconds a target is tried by the tests that are ignored otherwise.
const SECONDS: &str = "METAACCESS_FUZZ_SECONDS";

/// With which number chance begins, to see a run again.
const SEED: &str = "METAACCESS_FUZZ_SEED";

/// A file that gets each input before it is tried, to see the one that ends the process.
const LAST: &str = "METAACCESS_FUZZ_LAST";

/// The inputs of an ordinary test, unless that takes longer than a second or two.
const FEW: u64 = 3000;
const A_WHILE: Duration = Duration::from_millis(1500);

/// Longer inputs tell no more, and take longer.
const LONGEST: usize = 20_000;

/// No input may take as long, however busy the machine is.
const TOO_LONG: Duration = Duration::from_secs(10);

/// How many inputs that were taken are kept to make others of.
const KEPT: usize = 200;

/// What looks harmless and often is not, in one format or another.
const TOKENS: [&str; 44] = [
    "\0", "\u{feff}", "\u{202e}", "\u{2028}", "\u{85}", "\u{a0}", "é", "e\u{301}", "𝒳", "İ", "ß",
    "\x1b[31m", "\r\n", "\n", "\t", " ", "|", "||", ":", ": ", "- ", "\"", "'", "\\", "\\u0000",
    "\\ud800", "{", "}", "[", "]", ",", "&a ", "*a", "<<: ", "!!str ", "!", "%", "#", "~", "null",
    "true", "=", ";", "/",
];

const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "-1",
    "1e309",
    "1e-309",
    "0x7fffffff",
    "255",
    "256",
    "65536",
    "2147483648",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "99999999999999999999999999999999999999999999999999",
];

/// Where a law fails.
pub(crate) type Broken = String;

/// What a target does with an input: whether it was taken, so that others are made of it too; or which
/// law it broke.
pub(crate) type Law = fn(&[u8]) -> Result<bool, Broken>;

/// Tries some inputs, the same ones each time.
pub(crate) fn some(seeds: &[&[u8]], law: Law) {
    let begin = clock::now();
    let until = begin.plus(A_WHILE);
    Fuzz::new(seeds, 1).run(law, |tried, now| tried < FEW && now < until);
}

/// Tries inputs of chance for as long as the environment says, and prints how many.
pub(crate) fn many(target: &str, seeds: &[&[u8]], law: Law) {
    let seconds = of_environment(SECONDS).map_or(1, |text| number(&text));
    let seed = of_environment(SEED);
    let seed = seed.map_or_else(|| clock::unix_now().as_secs(), |text| number(&text));
    println!("{target}: {SEED}={seed}");
    let begin = clock::now();
    let until = begin.plus(Duration::from_secs(seconds));
    let mut fuzz = Fuzz::new(seeds, seed);
    fuzz.run(law, |_, now| now < until);
    let (tried, taken) = (fuzz.tried, fuzz.taken);
    let took = clock::now().since(begin).as_secs_f64();
    println!("{target}: {tried} inputs in {took:.1} s, {taken} of them taken, no law broken");
}

/// A test of some inputs, and one of many that is run by name.
macro_rules! targets {
    ($($target:ident, $name:literal, $seeds:ident, $law:ident;)*) => {$(
        mod $target {
            #[test]
            fn holds_for_some_inputs() {
                crate::fuzz_tests::some(&super::$seeds, super::$law);
            }

            #[test]
            #[ignore = "it goes on for as long as it is told: tests/fuzz"]
            fn fuzz() {
                crate::fuzz_tests::many($name, &super::$seeds, super::$law);
            }
        }
    )*};
}
pub(crate) use targets;

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn of_environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let value = std::env::var(name);
    value.ok()
}

/// A run over inputs.
struct Fuzz<'a> {
    seeds: &'a [&'a [u8]],
    kept: Vec<Vec<u8>>,
    rng: TestRng,
    last: Option<String>,
    tried: u64,
    taken: u64,
}

impl<'a> Fuzz<'a> {
    fn new(seeds: &'a [&'a [u8]], seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            seeds,
            kept: Vec::new(),
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            last: of_environment(LAST),
            tried: 0,
            taken: 0,
        }
    }

    fn run(&mut self, law: Law, goes_on: impl Fn(u64, Moment) -> bool) {
        for seed in self.seeds {
            self.hold(law, seed.to_vec());
        }
        while goes_on(self.tried, clock::now()) {
            let input = self.input();
            self.hold(law, input);
        }
    }

    fn hold(&mut self, law: Law, input: Vec<u8>) {
        if let Some(file) = &self.last {
            std::fs::write(file, &input).expect("a file");
        }
        let begin = clock::now();
        let held = catch_unwind(AssertUnwindSafe(|| law(&input)));
        let took = clock::now().since(begin);
        self.tried += 1;
        match held {
            Ok(Ok(is_taken)) => {
                assert!(took < TOO_LONG, "{took:?} for {}", input.escape_ascii());
                self.taken += u64::from(is_taken);
                if is_taken {
                    self.keep(input);
                }
            }
            Ok(Err(broken)) => {
                let (input, broken) = shortest(law, input, broken);
                panic!("{broken}\nby the input b\"{}\"", input.escape_ascii());
            }
            Err(panicked) => {
                println!("a panic by the input b\"{}\"", input.escape_ascii());
                resume_unwind(panicked);
            }
        }
    }

    fn keep(&mut self, input: Vec<u8>) {
        if self.kept.len() < KEPT {
            self.kept.push(input);
        } else {
            let at = self.below(KEPT);
            self.kept[at] = input;
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end.max(1))
    }

    /// One that was taken before as often as a seed.
    fn base(&mut self) -> Vec<u8> {
        if !self.kept.is_empty() && self.below(2) == 0 {
            let at = self.below(self.kept.len());
            return self.kept[at].clone();
        }
        let at = self.below(self.seeds.len());
        self.seeds[at].to_vec()
    }

    fn input(&mut self) -> Vec<u8> {
        if self.below(50) == 0 {
            let length = self.below(300);
            return (0..length).map(|_| self.rng.random()).collect();
        }
        let mut input = self.base();
        let changes = 1 + self.below(6);
        for _ in 0..changes {
            self.change(&mut input);
            input.truncate(LONGEST);
        }
        input
    }

    /// A part of the input, seldom a long one.
    fn part(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(input.len() + 1);
        let longest = [4, 40, input.len()][self.below(3)];
        let end = start + self.below(longest.min(input.len() - start) + 1);
        start..end
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let part = self.part(input);
        let at = part.start;
        match self.below(11) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.rng.random_range(0..8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.rng.random();
                }
            }
            2 => drop(input.drain(part)),
            3 => input.truncate(at),
            // Again, or again and again.
            4 => {
                let again = input[part].repeat([1, 3, 100][self.below(3)]);
                insert(input, at, &again);
            }
            // Nested deep.
            5 => {
                let deep = [
                    "[", "{", "{\"a\":", "[[", "- ", "(", "\"", "a: ", "? ", "\n ",
                ];
                let opened = deep[self.below(deep.len())].repeat(1 + self.below(1000));
                insert(input, at, opened.as_bytes());
            }
            6 => {
                let token = TOKENS[self.below(TOKENS.len())];
                insert(input, at, token.as_bytes());
            }
            7 => {
                let number = NUMBERS[self.below(NUMBERS.len())].as_bytes();
                let digits = |byte: &u8| byte.is_ascii_digit();
                let start = input[at..].iter().position(digits).map(|found| at + found);
                let start = start.unwrap_or(at);
                let count = input[start..].iter().take_while(|b| digits(b)).count();
                input.splice(start..start + count, number.iter().copied());
            }
            // The end of another one.
            8 => {
                let other = self.base();
                let from = self.part(&other).start;
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            // A part of another one.
            9 => {
                let other = self.base();
                let of_other = self.part(&other);
                input.splice(part, other[of_other].iter().copied());
            }
            _ => {
                // Whole lines trade places.
                let mut lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
                let (one, two) = (self.below(lines.len()), self.below(lines.len()));
                if one < lines.len() && two < lines.len() {
                    lines.swap(one, two);
                }
                *input = lines.concat();
            }
        }
    }
}

/// An input that breaks a law without what it can do without.
fn shortest(law: Law, mut input: Vec<u8>, mut broken: Broken) -> (Vec<u8>, Broken) {
    let mut size = input.len();
    while size > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut shorter = input.clone();
            shorter.drain(at..(at + size).min(input.len()));
            match catch_unwind(|| law(&shorter)) {
                Ok(Err(still)) => (input, broken) = (shorter, still),
                _ => at += size,
            }
        }
        size /= 2;
    }
    (input, broken)
}

fn insert(input: &mut Vec<u8>, at: usize, what: &[u8]) {
    input.splice(at..at, what.iter().copied());
}

/// What a law asks for.
pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(why()) }
}

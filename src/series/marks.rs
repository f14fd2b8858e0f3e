//! Places that are marked, however often, once.

use super::Place;

/// Marking costs a bit of every place up to the highest, and is the same whatever else is marked.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    places: Vec<Place>,
    bits: Vec<u64>,
}

const BITS: usize = u64::BITS as usize;

impl Marks {
    pub(super) fn mark(&mut self, place: Place) {
        let (word, bit) = (place / BITS, 1 << (place % BITS));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        if let Some(bits) = self.bits.get_mut(word).filter(|bits| **bits & bit == 0) {
            *bits |= bit;
            self.places.push(place);
        }
    }

    /// The marked places, in the order in which each was marked first.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn clear(&mut self) {
        for place in std::mem::take(&mut self.places) {
            if let Some(bits) = self.bits.get_mut(place / BITS) {
                *bits = 0;
            }
        }
    }

    /// The marked places from the lowest to the highest, of which none is marked any more.
    pub(super) fn take(&mut self) -> Vec<Place> {
        let mut places = self.places.clone();
        self.clear();
        places.sort_unstable();
        places
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_marked_is_taken_once_and_in_order(rounds: [Vec<u8>; 3]) {
            let mut marks = Marks::default();
            for places in rounds {
                let places: Vec<Place> = places.into_iter().map(Place::from).collect();
                places.iter().for_each(|place| marks.mark(*place));
                let expected: BTreeSet<Place> = places.into_iter().collect();
                let marked: BTreeSet<Place> = marks.places().iter().copied().collect();
                prop_assert_eq!(&marked, &expected);
                prop_assert_eq!(marks.places().len(), expected.len());
                prop_assert_eq!(marks.take(), expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}

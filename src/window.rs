//! Which page of which size shows the lines that are wanted.

/// The most lines that a page may ask for; the API answers 406 to more.
pub const PAGE: u64 = 50;

/// One request for lines: Get Logs' `limit` and `page`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// From 1 to 50.
    pub limit: u64,
    /// From 1.
    pub page: u64,
}

impl Query {
    /// The first page, as large as may be.
    pub const FIRST: Self = Self {
        limit: PAGE,
        page: 1,
    };

    /// The page of so many full pages.
    pub fn full(page: u64) -> Self {
        Self {
            limit: PAGE,
            page: page.max(1),
        }
    }

    /// The request that reaches furthest among those that start at `place` or before it, but not
    /// after: `limit` and `page` together allow only some starts.
    pub fn from(place: u64) -> Self {
        (1..=PAGE)
            .map(|limit| Self {
                limit,
                page: place / limit + 1,
            })
            .max_by_key(|query| (query.end(), query.limit))
            .unwrap_or(Self::FIRST)
    }

    /// The place of the first line asked for, counted from 0 where pages count from.
    pub fn start(self) -> u64 {
        (self.page - 1) * self.limit
    }

    /// The place after the last line asked for.
    pub fn end(self) -> u64 {
        self.page * self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_starts_at_or_before_the_place_and_reaches_on() {
        for place in 0..5_000 {
            let query = Query::from(place);
            assert!((1..=PAGE).contains(&query.limit) && query.page >= 1);
            assert!(query.start() <= place, "{place}: {query:?}");
            assert!(query.end() > place, "{place}: {query:?}");
        }
    }

    #[test]
    fn a_request_that_overlaps_by_three_lines_shows_many_new_ones() {
        for next in 50..5_000 {
            let query = Query::from(next - 3);
            assert!(query.end() >= next + 20, "{next}: {query:?}");
        }
    }

    #[test]
    fn the_overlap_of_the_second_page_is_what_was_asked() {
        let query = Query::from(44);
        assert_eq!((query.limit, query.page), (44, 2));
        assert_eq!((query.start(), query.end()), (44, 88));
    }
}

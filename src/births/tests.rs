//! Who holds a birth up, and who does not; and the law for any crowd of scrapers.

use proptest::prelude::*;

use super::*;

const PROMETHEUS: ScraperId = ScraperId(1);
const CURL: ScraperId = ScraperId(2);

fn at(seconds: u64) -> Moment {
    Moment(Duration::from_secs(seconds))
}

fn with(zero_for: ZeroFor) -> Births {
    Births::new(zero_for)
}

/// A scrape by a connection that this scraper keeps.
fn scrape(births: &mut Births, scraper: ScraperId, second: u64) {
    scrape_by(births, scraper, scraper.0, second);
}

fn scrape_by(births: &mut Births, id: ScraperId, connection: u64, second: u64) {
    let connection = ScraperId(u64::MAX - connection);
    let scraper = Scraper { id, connection };
    births.came(scraper, at(second));
    births.served(scraper, births.newest());
}

/// Births at zero that `scraper` has scraped regularly from second 0 to second `until`.
fn scraped(scraper: ScraperId, every: u64, until: u64) -> Births {
    let mut births = with(ZeroFor::Auto);
    for second in (0..=until).step_by(every as usize) {
        scrape(&mut births, scraper, second);
    }
    births
}

#[test]
fn without_a_regular_scraper_the_next_scrape_may_show_the_value() {
    let mut births = with(ZeroFor::Auto);
    let born = births.next();
    assert_eq!(births.ripe(at(1)), None, "nothing was born");
    births.are_shown(at(1));
    assert_eq!(births.ripe(at(1)), born);
    births.grew_up(Generation(1));
    assert_eq!(births.ripe(at(99)), None);
    assert_eq!(births.next(), Some(Generation(2)));
}

#[test]
fn a_regular_scraper_has_to_be_sent_the_zero_and_it_stays_a_little_longer_than_its_interval() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.are_shown(at(120));
    assert_eq!(births.ripe(at(130)), None);
    scrape(&mut births, CURL, 130);
    assert_eq!(births.ripe(at(143)), None, "it was not sent the zero");
    scrape(&mut births, PROMETHEUS, 140);
    assert_eq!(
        births.ripe(at(143)),
        None,
        "there may be two that look alike"
    );
    scrape(&mut births, PROMETHEUS, 160);
    assert_eq!(births.ripe(at(161)), Some(Generation(1)));
    // The one whose scrape brought it about has seen it twice soon.
    births.grew_up(Generation(1));
    births.are_shown(at(180));
    scrape(&mut births, PROMETHEUS, 180);
    scrape(&mut births, PROMETHEUS, 200);
    assert_eq!(births.ripe(at(201)), None, "less than 22 seconds");
    assert_eq!(births.ripe(at(202)), Some(Generation(2)));
}

#[test]
fn a_scraper_that_is_gone_holds_nothing_up() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.are_shown(at(110));
    assert_eq!(births.ripe(at(150)), None);
    assert_eq!(births.ripe(at(151)), Some(Generation(1)));
}

#[test]
fn births_grow_up_in_their_order() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.are_shown(at(101));
    scrape(&mut births, PROMETHEUS, 120);
    births.are_shown(at(121));
    scrape(&mut births, PROMETHEUS, 140);
    assert_eq!(
        births.ripe(at(145)),
        Some(Generation(1)),
        "the second was sent once"
    );
    births.grew_up(Generation(1));
    scrape(&mut births, PROMETHEUS, 160);
    assert_eq!(births.ripe(at(161)), Some(Generation(2)));
}

#[test]
fn it_can_be_switched_off_and_it_can_be_so_long_at_least() {
    assert_eq!(with(ZeroFor::Fixed(Duration::ZERO)).next(), None);
    let mut births = with(ZeroFor::Fixed(Duration::from_secs(40)));
    births.are_shown(at(0));
    assert_eq!(births.ripe(at(39)), None);
    assert_eq!(births.ripe(at(40)), Some(Generation(1)));
}

#[test]
fn nobody_waits_for_more_than_five_minutes_where_nobody_said_so() {
    let mut births = scraped(PROMETHEUS, 600, 2400);
    births.are_shown(at(2410));
    assert_eq!(births.ripe(at(2990)), None, "it was not sent the zero");
    scrape(&mut births, PROMETHEUS, 3000);
    assert_eq!(
        births.ripe(at(3001)),
        Some(Generation(1)),
        "it comes again in ten minutes"
    );
}

#[test]
fn a_restart_neither_repeats_nor_skips_a_zero() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.are_shown(at(101));
    scrape(&mut births, PROMETHEUS, 120);
    scrape(&mut births, PROMETHEUS, 140);
    births.are_shown(at(141));
    let saved = births.saved(at(145));
    let both = [Generation(2), Generation(1), Generation(2)];
    let mut again = with(ZeroFor::Auto);
    again.resume(&saved, both.into_iter(), at(7));
    assert_eq!(again.next(), Some(Generation(3)));
    assert_eq!(
        again.ripe(at(28)),
        None,
        "shown for 21 seconds by this process"
    );
    assert_eq!(
        again.ripe(at(29)),
        Some(Generation(1)),
        "it was sent before"
    );
    scrape(&mut again, PROMETHEUS, 20);
    scrape(&mut again, PROMETHEUS, 40);
    assert_eq!(again.ripe(at(41)), Some(Generation(2)));
    // Who does not come back holds nothing up for ever.
    let both = [Generation(1), Generation(2)];
    let mut alone = with(ZeroFor::Auto);
    alone.resume(&saved, both.into_iter(), at(7));
    assert_eq!(alone.ripe(at(57)), Some(Generation(1)));
    assert_eq!(alone.ripe(at(58)), Some(Generation(2)));
}

#[test]
fn a_scrape_whose_answer_did_not_arrive_owes_the_zero_still() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    let scraper = Scraper {
        id: PROMETHEUS,
        connection: ScraperId(9),
    };
    births.are_shown(at(119));
    births.came(scraper, at(120));
    births.came(scraper, at(140));
    births.came(scraper, at(160));
    assert_eq!(births.ripe(at(161)), None, "it was not sent the zero");
    births.served(scraper, births.newest());
    births.came(scraper, at(180));
    births.served(scraper, births.newest());
    assert_eq!(births.ripe(at(181)), Some(Generation(1)));
}

#[test]
fn who_never_takes_an_answer_to_its_end_holds_nothing_up_for_long() {
    let mut births = with(ZeroFor::Auto);
    let scraper = Scraper {
        id: PROMETHEUS,
        connection: ScraperId(9),
    };
    for second in (0..=300).step_by(20) {
        births.came(scraper, at(second));
    }
    births.are_shown(at(301));
    assert_eq!(births.ripe(at(302)), Some(Generation(1)));
    // One that was served, and then no more.
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.are_shown(at(101));
    for second in [120, 140, 160] {
        births.came(scraper, at(second));
        assert_eq!(births.ripe(at(second)), None, "its zero is owed");
    }
    births.came(scraper, at(180));
    assert_eq!(births.ripe(at(180)), Some(Generation(1)));
}

#[test]
fn an_answer_that_ends_after_a_later_one_is_no_second_zero() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.are_shown(at(101));
    let scraper = Scraper {
        id: PROMETHEUS,
        connection: ScraperId(9),
    };
    births.came(scraper, at(120));
    births.served(scraper, Generation(1));
    births.served(scraper, Generation(0));
    assert_eq!(births.ripe(at(125)), None);
}

#[test]
fn what_nobody_can_have_saved_holds_nothing_up() {
    let saved = SavedScraper {
        id: PROMETHEUS,
        period: Duration::from_secs(u64::MAX),
        served: Generation(1),
    };
    let mut births = with(ZeroFor::Auto);
    births.resume(&[saved], std::iter::empty(), at(0));
    births.are_shown(at(1));
    assert_eq!(births.ripe(at(2)), Some(Generation(2)));
}

#[test]
fn a_crowd_of_strangers_takes_no_room_from_a_regular_scraper() {
    let mut births = scraped(PROMETHEUS, 20, 100);
    births.came(
        Scraper {
            id: CURL,
            connection: ScraperId(8),
        },
        at(100),
    );
    for nth in 0..5000 {
        scrape_by(&mut births, ScraperId(3), 1_000_000 + nth, 101);
    }
    assert!(
        births.scrapers.knows(CURL),
        "connections go before scrapers"
    );
    for stranger in 10..5000 {
        scrape(&mut births, ScraperId(stranger), 101);
    }
    births.are_shown(at(102));
    assert_eq!(births.ripe(at(140)), None, "the regular one is remembered");
    assert_eq!(births.saved(at(140)).len(), 1);
}

/// A scraper of the law: when it begins, its interval, when it ends, and whom it looks like.
type Plan = (u64, u64, u64, u64);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = (0_u64..300, 5_u64..90, 300_u64..1500, 0_u64..6);
    prop::collection::vec(plan, 1..5)
}

proptest! {
    /// Whoever has scraped regularly for some time, and still does, was sent the zero.
    #[test]
    fn no_regular_scraper_misses_a_zero(
        mut plans in plans(),
        twin_after in prop::option::of(1_u64..30),
        look_alike in any::<bool>(),
        born in prop::collection::btree_set(0_u64..1500, 0..20),
        restart in prop::option::of(400_u64..1200),
    ) {
        // All look alike, and keep their connections. Or each looks like itself, but for one that a
        // twin looks like, with a new connection for every scrape.
        plans.iter_mut().zip(0..).for_each(|(plan, nth)| plan.3 = if look_alike { 0 } else { nth });
        if let (Some(after), Some((begin, every, end, id))) = (twin_after, plans.first().copied()) {
            plans.push((begin + after % every, every, end, id));
        }
        // A restart ends the connections, so that scrapers which only these tell apart may miss a
        // zero then.
        let restart = restart.filter(|_| !look_alike);
        let mut births = with(ZeroFor::Auto);
        let mut unborn = false;
        // Since when each generation is shown, and when each scraper came.
        let mut waiting: VecDeque<(Generation, u64)> = VecDeque::new();
        let mut came: Vec<Vec<u64>> = vec![Vec::new(); plans.len()];
        for now in 0..1500 {
            unborn |= born.contains(&now);
            if restart == Some(now) {
                let at_zero = waiting.iter().map(|(born, _)| *born);
                let saved = births.saved(at(now));
                births = Births::new(ZeroFor::Auto);
                births.resume(&saved, at_zero, at(now));
            }
            for (nth, (begin, every, end, id)) in plans.iter().enumerate() {
                if now < *begin || now > *end || (now - begin) % every != 0 {
                    continue;
                }
                if let Some(ripe) = births.ripe(at(now)) {
                    births.grew_up(ripe);
                    while waiting.front().is_some_and(|(born, _)| *born <= ripe) {
                        let (_, since) = waiting.pop_front().expect("there is one");
                        for (came, plan) in came.iter().zip(&plans) {
                            let is_regular = came.len() >= 8 && now <= plan.2;
                            let saw = came.iter().any(|came| *came >= since);
                            prop_assert!(saw || !is_regular, "{plan:?} missed what was shown at {since}, ripe at {now}");
                        }
                    }
                }
                if std::mem::take(&mut unborn) {
                    births.are_shown(at(now));
                    waiting.push_back((births.newest(), now));
                }
                let connection = if look_alike { nth } else { now as usize * 10 + nth };
                scrape_by(&mut births, ScraperId(*id), connection as u64, now);
                came[nth].push(now);
            }
        }
        // Nothing waits for ever.
        prop_assert_eq!(births.ripe(at(4000)).is_some(), !waiting.is_empty());
    }
}

#[test]
fn who_takes_over_waits_for_the_scrapers_of_the_others() {
    let mut births = Births::new(ZeroFor::Auto);
    births.take_over(Generation(7), [Generation(6)].into_iter(), at(0));
    assert_eq!(births.newest(), Generation(7));
    let other = |served| SavedScraper {
        id: ScraperId(1),
        period: Duration::from_secs(15),
        served: Generation(served),
    };
    births.others_are(vec![other(5)]);
    assert_eq!(births.ripe(at(60)), None, "it has not seen that zero");
    births.others_are(vec![other(6)]);
    assert_eq!(births.ripe(at(60)), Some(Generation(6)));
    assert_eq!(births.ripe(at(10)), None, "it comes again within 15 s");
    births.others_are(Vec::new());
    assert_eq!(births.ripe(at(10)), Some(Generation(6)));
    births.grew_up(Generation(6));
    assert!(!births.are_waited_for());
    assert_eq!(births.next(), Some(Generation(8)));
}

#[test]
fn who_scraped_a_process_that_is_gone_is_waited_for_until_it_is_overdue() {
    let left = |id: ScraperId, served| SavedScraper {
        id,
        period: Duration::from_secs(20),
        served: Generation(served),
    };
    let mut births = scraped(PROMETHEUS, 15, 60);
    let known = births.saved(at(60));
    births.inherit(&[left(PROMETHEUS, 9), left(CURL, 2)], at(60));
    births.take_over(Generation(2), [Generation(3)].into_iter(), at(60));
    let of = |saved: Vec<SavedScraper>, id| saved.into_iter().find(|one| one.id == id);
    assert_eq!(of(births.saved(at(60)), PROMETHEUS), of(known, PROMETHEUS));
    assert_eq!(of(births.saved(at(60)), CURL), Some(left(CURL, 2)));
    assert_eq!(births.ripe(at(85)), None, "neither has seen that zero");
    for second in [75, 90, 105] {
        scrape(&mut births, PROMETHEUS, second);
    }
    assert_eq!(births.ripe(at(109)), None, "one is still to come");
    assert_eq!(births.ripe(at(111)), Some(Generation(3)), "it is overdue");
}

#[test]
fn who_comes_before_it_is_known_that_it_was_regular_elsewhere_is_taken_for_regular() {
    let left = SavedScraper {
        id: PROMETHEUS,
        period: Duration::from_secs(20),
        served: Generation(2),
    };
    let mut births = with(ZeroFor::Auto);
    births.inherit(&[left], at(0));
    assert_eq!(births.saved(at(5)), [left]);
    assert_eq!(births.came_here(at(5)), [], "it may have gone elsewhere");
    scrape(&mut births, PROMETHEUS, 10);
    assert_eq!(births.came_here(at(10)).len(), 1);
    let mut births = with(ZeroFor::Auto);
    scrape(&mut births, PROMETHEUS, 0);
    assert_eq!(births.came_here(at(5)), [], "it came once");
    births.inherit(&[left], at(5));
    assert_eq!(births.came_here(at(5)), [left]);
    // What it was sent before stays known.
    births.take_over(Generation(2), [Generation(3)].into_iter(), at(5));
    assert_eq!(births.ripe(at(30)), None);
    scrape(&mut births, PROMETHEUS, 20);
    scrape(&mut births, PROMETHEUS, 40);
    assert_eq!(births.ripe(at(41)), Some(Generation(3)));
}

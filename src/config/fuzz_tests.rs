//! Flags that nobody would type.

use std::time::Duration;

use super::environment::Environment;
use super::mistake::{Problem, Wrong};
use super::{database, duration, value};
use crate::fuzz_tests::{Broken, ensure, targets};

targets! {
    values, "values", VALUES, is_value;
    command_lines, "command_line", LINES, is_command_line;
    urls, "database_url", URLS, is_database_url;
}

const VALUES: [&[u8]; 16] = [
    b"500ms",
    b"0.5s",
    b"1m30s",
    b"24h",
    b"7d",
    b"1d2h3m4s5ms",
    b"0",
    b"0.000000001s",
    b"10/1m",
    b"10/2s",
    b"device,admin",
    b"admin, device",
    b"Europe/Berlin",
    b"auto",
    b"20000",
    b"/metrics",
];

/// The words of a command line, one on each line.
const LINES: [&[u8]; 6] = [
    b"--api.base-url=https://gears.example.com\n--api.rate-limit=10/1m\n--api.logs=device,admin\n--api.order=auto\n--api.timezone=Europe/Berlin\n--api.lookback=24h\n--api.lateness=2m\n--api.timeout=5s",
    b"--web.listen-address=127.0.0.1:0\n--web.listen-address=[::1]:9\n--web.telemetry-path=/metrics\n--web.enable-lifecycle\n--web.max-connections=500\n--log.level=debug\n--log.format=json",
    b"--metrics.max-series=20000\n--metrics.max-events=100\n--metrics.zero-for=auto\n--metrics.created\n--metrics.hostname=drop\n--scrape.timeout-offset=0.5s\n--scrape.min-interval=15s\n--account.name=my account",
    b"demo\n--api.rate-limit\n10/2s\n--state.path=/nowhere/state.db",
    b"simulate\n--simulate.listen-address=127.0.0.1:0\n--help",
    b"--state.url=postgres://u@h/n?sslmode=disable\n--log.format=json",
];

const URLS: [&[u8]; 9] = [
    b"postgres://u@db.example.com/n",
    b"postgresql://u@a,b:1,[::1]:2,192.0.2.1:65535/n?target_session_attrs=read-write&connect_timeout=9",
    b"postgres://u@%2Frun%2Fpostgresql:5433/n",
    b"postgres://u@:5433/n?host=/run/postgresql,localhost&application_name=a%26b",
    b"postgres://u@localhost/?sslmode=disable",
    b"postgres://a%40b@db.example.com?sslmode=verify-full&sslrootcert=system",
    b"postgres://u:hunter2hunter2@h:1/n?sslrootcert=/hunter2hunter2&sslcert=/hunter2hunter2&sslkey=/x",
    b"postgres://u:hunter2hunter2@hunter2hunter2@h,[hunter2hunter2]/hunter2hunter2?hunter2hunter2=1",
    b"postgres://u@h/n?password=hunter2hunter2&sslmode=hunter2hunter2",
];

/// In the environment or in a URL, and in no message.
const SECRET: &str = "hunter2hunter2";

fn is_value(input: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    let parsed = duration::parse(text);
    match &parsed {
        Ok(found) => {
            let spelled = duration::spell(*found);
            let again = duration::parse(&spelled);
            ensure(again == parsed, || {
                format!("{found:?} is written {spelled}: {again:?}")
            })?;
        }
        Err(mend) => is_short(mend)?,
    }
    let within = duration::within(Duration::from_secs(1)..=Duration::from_secs(60))(text);
    let is_within = within
        .as_ref()
        .is_ok_and(|found| (1..=60).contains(&found.as_secs()));
    ensure(within.is_err() || is_within, || {
        format!("{within:?} is not within")
    })?;
    let rate = value::rate_limit(text);
    if let Ok(rate) = &rate {
        let again = value::rate_limit(&rate.to_string());
        ensure(again.as_ref() == Ok(rate), || {
            format!("{rate} is read as {again:?}")
        })?;
    }
    if let Ok(path) = value::telemetry_path(text) {
        let is_plain = path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic());
        ensure(is_plain, || format!("{path:?} is a path"))?;
    }
    let number = value::number(1..=1_000_000_u32)(text);
    let wrongs: [Option<Wrong>; 7] = [
        within.err(),
        rate.err(),
        number.err(),
        value::logs(text).err(),
        value::order(text).err(),
        value::zero_for(text).err(),
        value::zone(text).err(),
    ];
    let is_taken = wrongs.iter().any(Option::is_none);
    for wrong in wrongs.into_iter().flatten() {
        is_short(&wrong.to_string())?;
    }
    Ok(is_taken)
}

/// No message shows any of a URL that is refused, and one that is not is written so that it means the
/// same again.
fn is_database_url(input: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    match database::tests::read(text) {
        Ok(database) => {
            let shown = database.to_string();
            let is_plain = shown.chars().all(|c| c.is_ascii_graphic()) && !shown.contains('?');
            ensure(is_plain, || format!("{shown:?}"))?;
            let again = database::tests::read(&shown);
            let again = again.map_err(|all| format!("{shown} is refused: {all:?}"))?;
            let is_same = (&again.hosts, &again.user, &again.name)
                == (&database.hosts, &database.user, &database.name);
            ensure(is_same, || format!("{database:?} is written {shown}"))?;
            Ok(true)
        }
        Err(all) => {
            for said in all {
                ensure(!said.contains(SECRET), || format!("a secret in {said}"))?;
                is_short(&said)?;
            }
            Ok(false)
        }
    }
}

/// A mistake in a YAML file names a place within its text, in one line that a terminal shows as it is.
pub(super) fn is_placed(text: &str, mistake: &str) -> Result<(), Broken> {
    let place = place(mistake).ok_or_else(|| format!("no place in {mistake:?}"))?;
    // To YAML a line ends so, too.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    let (line, column) = place;
    // The end of the text is a place too.
    let width = lines.get(line.wrapping_sub(1));
    let width = width.map_or(0, |line| line.chars().count());
    let is_within = (1..=lines.len() + 1).contains(&line) && (1..=width + 1).contains(&column);
    ensure(is_within, || {
        format!(
            "{mistake:?} is outside of {} lines, {width} wide",
            lines.len()
        )
    })?;
    ensure(!mistake.contains(char::is_control), || {
        format!("{mistake:?} has characters that no terminal shows")
    })
}

fn place(mistake: &str) -> Option<(usize, usize)> {
    let rest = mistake.strip_prefix("line ")?;
    let (line, rest) = rest.split_once(", column ")?;
    let (column, _) = rest.split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// How to mend a value never repeats what may be long or strange in it.
fn is_short(mend: &str) -> Result<(), Broken> {
    let is_plain = mend.len() < 300 && !mend.contains(char::is_control);
    ensure(is_plain, || format!("{mend:?}"))
}

fn is_command_line(input: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    // The operating system gives no other arguments.
    let words = text.split('\n').filter(|word| !word.contains('\0'));
    let words: Vec<_> = std::iter::once("metaaccess-exporter")
        .chain(words)
        .collect();
    let environment = [
        ("METAACCESS_ACCESS_TOKEN", SECRET),
        ("METAACCESS_API_TIMEOUT", "5s"),
    ];
    // Alone it would be a mistake.
    let password = text.contains("--state.url");
    let password = password.then_some(("METAACCESS_STATE_PASSWORD", SECRET));
    let environment = Environment::from_iter(environment.into_iter().chain(password));
    let parsed = super::parse(words.into_iter().map(Into::into), &environment);
    let shown = match &parsed {
        Ok(config) => format!("{config:?}"),
        Err(problem) => problem.to_string(),
    };
    ensure(!shown.contains(SECRET), || format!("a secret in {shown}"))?;
    if !matches!(parsed, Err(Problem::Asked(_))) {
        let is_shown = |c: char| c == '\n' || !c.is_control();
        ensure(shown.chars().all(is_shown), || format!("{shown:?}"))?;
    }
    Ok(parsed.is_ok())
}

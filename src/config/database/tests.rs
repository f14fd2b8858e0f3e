use std::time::Duration;

use super::*;
use crate::config::mistake::{Mistakes, Problem};

/// What a URL means, or all that is said of it.
pub(in crate::config) fn read(text: &str) -> Result<Database, Vec<String>> {
    let mut mistakes = Mistakes::default();
    let database = Database::read(text, "--state.url", &mut mistakes);
    match mistakes.none_in(database) {
        Ok(database) => Ok(database),
        Err(Problem::Mistakes(mistakes)) => Err(mistakes.iter().map(ToString::to_string).collect()),
        Err(other) => panic!("{other:?}"),
    }
}

/// The one thing that is said of a URL.
pub(super) fn mistake(text: &str) -> String {
    let all = read(text).expect_err(text);
    assert_eq!(all.len(), 1, "{text}: {all:#?}");
    all.concat()
}

fn hosts(text: &str) -> Vec<String> {
    let database = read(text).unwrap_or_else(|all| panic!("{text}: {all:#?}"));
    database.hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_user_and_a_host_are_enough() {
    let database = read("postgres://metaaccess@db.example.com").unwrap();
    assert_eq!(
        database,
        Database {
            hosts: vec![DatabaseHost {
                place: HostPlace::Name("db.example.com".to_owned()),
                port: 5432,
            }],
            name: "metaaccess".to_owned(),
            user: "metaaccess".to_owned(),
            password: None,
            tls: Some(DatabaseTls {
                ca: None,
                client: None,
            }),
            connect_timeout: Duration::from_secs(3),
            application_name: "metaaccess-exporter".to_owned(),
        }
    );
    for text in [
        "postgresql://metaaccess@db.example.com",
        " postgres://metaaccess@db.example.com/\n",
        "postgres://metaaccess@db.example.com:5432/metaaccess?",
        "postgres://metaaccess@DB.example.com?target_session_attrs=read-write&connect_timeout=3",
        "postgres://metaaccess@db.example.com/?sslmode=verify-full&sslrootcert=system",
        "postgres://meta%61ccess@db.example.com/?application_name=metaaccess-exporter",
    ] {
        assert_eq!(read(text).as_ref(), Ok(&database), "{text}");
    }
}

#[test]
fn every_part_is_decoded() {
    let text = "postgres://a%40b%2f@d%62.example.com/my%20n%C3%A4me?application_name=a%26b&\
                connect%5ftimeout=60&target_session_attrs=primary";
    let database = read(text).unwrap();
    assert_eq!(database.user, "a@b/");
    assert_eq!(database.name, "my näme");
    assert_eq!(database.application_name, "a&b");
    assert_eq!(database.connect_timeout, Duration::from_secs(60));
    assert_eq!(
        database.to_string(),
        "postgres://a%40b%2F@db.example.com:5432/my%20n%C3%A4me"
    );
    assert_eq!(read("postgres://u@h/a/b+c").unwrap().name, "a/b+c");
}

#[test]
fn each_host_has_its_own_port() {
    assert_eq!(
        hosts("postgres://u@a,b:1,[::1]:2,[2001:DB8::1],192.0.2.1:65535/n"),
        [
            "a:5432",
            "b:1",
            "[::1]:2",
            "[2001:db8::1]:5432",
            "192.0.2.1:65535"
        ]
    );
    assert_eq!(
        hosts("postgres://u@:5433/n?host=a,::1,/run/postgresql"),
        ["a:5433", "[::1]:5433", "/run/postgresql/.s.PGSQL.5433"]
    );
}

#[test]
fn a_socket_is_named_by_its_folder_in_either_place() {
    for text in [
        "postgres://u@%2Frun%2Fpostgresql:5433/n",
        "postgres://u@:5433/n?host=/run/postgresql",
        "postgres://u@:5433/n?host=%2Frun%2Fpostgresql",
    ] {
        let database = read(text).unwrap();
        let place = HostPlace::Socket("/run/postgresql".into());
        assert_eq!(database.hosts, [DatabaseHost { place, port: 5433 }]);
        assert_eq!(database.tls, None, "it has none");
        assert_eq!(
            database.to_string(),
            "postgres://u@%2Frun%2Fpostgresql:5433/n"
        );
    }
    assert_eq!(hosts("postgres://u@/?host=/run/"), ["/run/.s.PGSQL.5432"]);
}

#[test]
fn the_text_of_a_database_means_the_same_and_has_no_parameter() {
    for text in [
        "postgres://u@a,b:1,[::1]:2/n?connect_timeout=9",
        "postgres://u%3F%25%40%2C@%2Frun%2Fa%20b,127.0.0.1:1/%2F",
        "postgres://u@db.example.com:1?application_name=x",
    ] {
        let database = read(text).unwrap();
        let shown = database.to_string();
        assert!(!shown.contains('?'), "{shown}");
        let again = read(&shown).unwrap();
        assert_eq!(again.to_string(), shown);
        assert_eq!(
            (again.hosts, again.user, again.name),
            (database.hosts, database.user, database.name)
        );
    }
}

/// URLs, and what is said of each.
#[rustfmt::skip]
const REFUSED: [(&str, &str); 50] = [
    ("", "it is no URL of PostgreSQL"),
    ("x", "it is no URL of PostgreSQL"),
    ("mysql://u@h", "it is no URL of PostgreSQL"),
    ("POSTGRES://u@h", "it is no URL of PostgreSQL"),
    ("host=h user=u", "it is no URL of PostgreSQL"),
    ("postgres://h", "it names no user"),
    ("postgres://@h", "it names no user"),
    ("postgres://u@", "it names no host"),
    ("postgres://u@:5432/n", "it names no host"),
    ("postgres://u@h/n?host=i", "write them once"),
    ("postgres://u@a,,b", "host 2 is empty"),
    ("postgres://u@a,b,", "host 3 is empty"),
    ("postgres://u@a:0", "host 1 has a port that is no number"),
    ("postgres://u@a,b:65536", "host 2 has a port that is no"),
    ("postgres://u@a:", "host 1 has a port that is no number"),
    ("postgres://u@a:+1", "host 1 has a port that is no number"),
    ("postgres://u@::1", "an IPv6 address in []"),
    ("postgres://u@[::1", "host 1 lacks its ]"),
    ("postgres://u@[::1]5", "host 1 goes on after its ]"),
    ("postgres://u@[fe80::1%25eth0]", "host 1 is no IPv6 address"),
    ("postgres://u@[192.0.2.1]", "host 1 is no IPv6 address"),
    ("postgres://u@a_b*", "host 1 is neither a name"),
    ("postgres://u@zürich.example.com", "host 1 is neither a"),
    ("postgres://u@h@i", "host 1 is neither a name"),
    ("postgres://u@a%2Cb", "host 1 is neither a name"),
    ("postgres://u@%", "host 1 holds a % without two"),
    ("postgres://u%@h", "its user holds a % without two"),
    ("postgres://u%00@h", "its user holds a control character"),
    ("postgres://u@h/%ff", "its database's name is no UTF-8"),
    ("postgres://u @h", "there is white space in it"),
    ("postgres://u@h/a\tb", "there is white space in it"),
    ("postgres://u@:x/n?host=a", "its port is no number"),
    ("postgres://u@h?x", "parameter 1 lacks its ="),
    ("postgres://u@h?sslmode=verify-full&", "parameter 2 lacks"),
    ("postgres://u@h?%zz=1", "parameter 1 holds a % without"),
    (
        "postgres://u@h?application_name=%f",
        "application_name holds",
    ),
    (
        "postgres://u@h?application_name=",
        "application_name is empty",
    ),
    ("postgres://u@h?application_name=a=b", "write that as %3D"),
    ("postgres://u@h?application_name=%C3%A4", "not ASCII"),
    ("postgres://u@h?connect_timeout=0", "from 1 to 60"),
    ("postgres://u@h?connect_timeout=61", "from 1 to 60"),
    ("postgres://u@h?connect_timeout=3s", "from 1 to 60"),
    ("postgres://u@h?target_session_attrs=any", "takes writes"),
    ("postgres://u@h?sslMode=disable", "(sslmode is near)"),
    ("postgres://u@h?options=-c", "there are host, sslmode, ssl"),
    ("postgres://h/n?user=u&user=u", "it names no user"),
    ("postgres://u@h?dbname=n", "parameter 1 stands elsewhere"),
    ("postgres://u@h?passfile=/x", "--state.password-file"),
    ("postgres://u@h?sslpassword=x", "a key by sslkey that is"),
    (
        "postgres://u@h?connect_timeout=3&connect_timeout=3",
        "twice",
    ),
];

#[test]
fn what_is_no_url_of_postgresql_is_refused() {
    for (text, said) in REFUSED {
        let all = read(text).expect_err(text);
        assert!(all.iter().any(|it| it.contains(said)), "{text}: {all:#?}");
        assert!(all.iter().all(|it| it.starts_with("--state.url: ")));
    }
    let long = format!("postgres://u@/n?host=/{}", "a".repeat(92));
    assert_eq!(hosts(&long).len(), 1);
    assert!(mistake(&(long + "a")).contains("longer than 107 bytes"));
}

#[test]
fn all_mistakes_of_a_url_are_listed_at_once() {
    let all = read(
        "postgresql://:hunter2@*,b:x/%?sslmode=require&connect_timeout=x&x=y&application_name=ä&\
         target_session_attrs=any",
    )
    .unwrap_err();
    for said in [
        "there is a password in it",
        "it names no user",
        "host 1 is neither a name",
        "host 2 has a port",
        "its database's name holds a %",
        "sslmode is neither verify-full nor disable",
        "connect_timeout is no number",
        "parameter 3 has a name that is not known",
        "application_name has characters",
        "target_session_attrs is neither",
    ] {
        assert!(all.iter().any(|it| it.contains(said)), "{said}: {all:#?}");
    }
    assert_eq!(all.len(), 10, "{all:#?}");
}

/// Whatever is wrong with the rest.
#[test]
fn a_password_in_the_url_is_refused_and_never_shown() {
    for text in [
        "postgres://u:PASS@h/",
        "postgresql://u:PASS@h:5432/n?sslmode=disable",
        "postgres://:PASS@h/",
        "postgres://u:@h/",
        "postgres://u:PASS@PASS@h/",
        "postgres://u:PASS@PASS@PASS/n",
        "postgres://u:PASS/PASS@h/",
        "postgres://u:PASS?PASS@h/",
        "postgres://u:PASS?sslmode=PASS@h/",
        "postgres://u:PASS#PASS@h/",
        "postgres://u:PASS@[PASS/",
        "postgres://u%3APASS@h/",
        "postgres://u:PASS@",
        "postgres://u@h/n?password=PASS",
        "postgres://u@h/n?%70assword=PASS",
        "postgres://u@h/n?password=PASS=PASS",
        "postgres://u:PASS@h/%PASS?PASS=PASS&sslmode=PASS&sslcert=PASS&sslrootcert=PASS",
    ] {
        let all = read(&text.replace("PASS", "hunter2")).expect_err(text);
        assert!(
            all.iter()
                .any(|it| it.contains("there is a password in it")),
            "{text}: {all:#?}"
        );
        assert!(!all.concat().contains("hunter"), "{text}: {all:#?}");
    }
}

#[test]
fn the_at_sign_of_a_password_is_none_of_a_host() {
    let said = mistake("postgres://u:hunter2@hunter3@db.example.com/n");
    assert!(said.contains("there is a password in it"), "{said}");
}

#[test]
fn a_malformed_url_shows_nothing_of_itself() {
    for text in [
        "u:PASS@h",
        "postgres:/u:PASS@h",
        "postgres:u:PASS@h",
        "http://u:PASS@h",
        "postgres://u: PASS@h/",
        "postgres://u:PASS",
        "postgres://u:PASS/",
        "postgres://u:PASS/n?PASS",
        "postgres://u@h:PASS",
        "postgres://u@PASS@h",
        "postgres://u@h%PASS/%PASS?%PASS=PASS",
        "postgres://u@h?sslmode=PASS",
        "postgres://u@h?PASS=1",
        "postgres://u@h?host=PASS",
        "postgres://u@h?sslrootcert=PASS&sslcert=PASS&sslkey=PASS",
        "host=h password=PASS",
    ] {
        let all = read(&text.replace("PASS", "hunter2")).expect_err(text);
        assert!(!all.concat().contains("hunter"), "{text}: {all:#?}");
    }
}

use std::path::Path;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::tests::{mistake, read};
use super::*;

/// A folder with a certificate, its key, and the key of another.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["client", "other"] {
        let made = generate_simple_self_signed([format!("{name}.example.com")]);
        let CertifiedKey { cert, signing_key } = made.unwrap();
        let path = |ending| folder.path().join(format!("{name}.{ending}"));
        std::fs::write(path("pem"), cert.pem()).unwrap();
        std::fs::write(path("key"), signing_key.serialize_pem()).unwrap();
    }
    folder
}

fn tls(parameters: &str, folder: &Path) -> Option<DatabaseTls> {
    let parameters = parameters.replace('~', &folder.to_string_lossy());
    let text = format!("postgres://u@db.example.com/n?{parameters}");
    read(&text).unwrap_or_else(|all| panic!("{all:#?}")).tls
}

#[test]
fn the_server_has_to_say_who_it_is_unless_it_is_this_machine() {
    for here in [
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]",
        "localhost",
        "%2Frun",
        "%2Frun,[::1],localhost",
        ":1/?host=/run",
    ] {
        let database = read(&format!("postgres://u@{here}")).unwrap();
        assert_eq!(database.tls, None, "{here}");
        assert!(!database.is_in_the_clear(), "{here}");
    }
    for elsewhere in [
        "db.example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "192.0.2.1",
        "[::2]",
        "0.0.0.0",
        "127.0.0.1,db.example.com",
        "%2Frun,192.0.2.1",
    ] {
        let database = read(&format!("postgres://u@{elsewhere}")).unwrap();
        assert!(database.tls.is_some(), "{elsewhere}");
        let bare = read(&format!("postgres://u@{elsewhere}?sslmode=disable")).unwrap();
        assert_eq!(bare.tls, None, "{elsewhere}");
        assert!(bare.is_in_the_clear(), "{elsewhere}");
    }
    let database = read("postgres://u@127.0.0.1?sslmode=verify-full").unwrap();
    assert!(database.tls.is_some(), "where it is asked for");
    assert!(mistake("postgres://u@%2Frun?sslmode=verify-full").contains("which has no TLS"));
}

#[test]
fn a_mode_that_does_not_say_who_answers_is_refused() {
    for mode in [
        "require",
        "prefer",
        "allow",
        "verify-ca",
        "VERIFY-FULL",
        "x",
    ] {
        for host in ["db.example.com", "127.0.0.1"] {
            let said = mistake(&format!("postgres://u@{host}?sslmode={mode}"));
            assert!(said.contains("it alone says who answers"), "{said}");
        }
    }
}

#[test]
fn the_files_of_tls_are_read_and_their_paths_kept() {
    let folder = folder();
    let path = |name| folder.path().join(name);
    let found = tls(
        "sslrootcert=~/other.pem&sslcert=~/client.pem&sslkey=~/client.key",
        folder.path(),
    );
    let found = found.unwrap();
    let ca = found.ca.unwrap();
    assert_eq!((ca.path, ca.certificates.len()), (path("other.pem"), 1));
    let client = ClientCertificate {
        chain: path("client.pem"),
        key: path("client.key"),
    };
    assert_eq!(found.client, Some(client));
    let of_the_system = tls("sslrootcert=system", folder.path()).unwrap();
    assert_eq!((of_the_system.ca, of_the_system.client), (None, None));
}

#[test]
fn a_file_of_tls_that_is_not_what_it_should_be_is_named_by_its_parameter() {
    let folder = folder();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    for (parameters, said) in [
        (
            "sslrootcert=~/none",
            "sslrootcert: expected a PEM file with",
        ),
        ("sslrootcert=~", "sslrootcert: expected a PEM file with"),
        (
            "sslrootcert=~/empty",
            "sslrootcert: expected a PEM file with",
        ),
        ("sslrootcert=~/client.key", "the file holds none"),
        ("sslcert=~/client.pem", "give both, or none"),
        ("sslkey=~/client.key", "give both, or none"),
        (
            "sslcert=~/none&sslkey=~/client.key",
            "sslcert: expected a PEM",
        ),
        (
            "sslcert=~/client.pem&sslkey=~/none",
            "sslkey: expected a private key",
        ),
        (
            "sslcert=~/client.pem&sslkey=~/client.pem",
            "that is not encrypted",
        ),
        (
            "sslcert=~/client.pem&sslkey=~/other.key",
            "is not that of the certificate",
        ),
    ] {
        let parameters = parameters.replace('~', &folder.path().to_string_lossy());
        let said_of = mistake(&format!("postgres://u@db.example.com?{parameters}"));
        assert!(said_of.contains(said), "{parameters}: {said_of}");
    }
    let all = read("postgres://u@h?sslrootcert=/none&sslcert=/none&sslkey=/none").unwrap_err();
    assert_eq!(all.len(), 3, "{all:#?}");
}

#[test]
fn a_file_of_tls_without_tls_is_refused() {
    let folder = folder();
    for name in [
        "sslrootcert=~/other.pem",
        "sslcert=~/client.pem",
        "sslkey=~/client.key",
    ] {
        let parameter = name.replace('~', &folder.path().to_string_lossy());
        for start in [
            "postgres://u@db.example.com?sslmode=disable&",
            "postgres://u@127.0.0.1?",
        ] {
            let said = mistake(&format!("{start}{parameter}"));
            assert!(said.contains("is of no use without TLS"), "{said}");
        }
    }
}

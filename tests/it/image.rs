//! What `Dockerfile` promises of the image, read from it: no engine is needed.

use std::path::Path;

use crate::documents::{assert_accepts, path, read};
use crate::tools::tool;

/// The instructions of the Dockerfile, each in one line.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile").replace("\\\n", "");
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Those of the last stage, which are the image.
fn last_stage() -> Vec<String> {
    let all = instructions();
    let from = all.iter().rposition(|line| line.starts_with("FROM "));
    all[from.expect("a stage")..].to_vec()
}

/// What one instruction of the last stage says; it is there once.
#[track_caller]
fn of_image(name: &str) -> String {
    let begin = format!("{name} ");
    let stage = last_stage();
    let found: Vec<&str> = stage
        .iter()
        .filter_map(|line| line.strip_prefix(&begin))
        .collect();
    assert_eq!(found.len(), 1, "{name} in {stage:?}");
    found[0].to_owned()
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(mut hadolint) = tool("hadolint") else {
        return;
    };
    assert_accepts(hadolint.arg(path("Dockerfile")));
}

#[test]
fn the_image_holds_nothing_but_what_is_copied_into_it() {
    assert_eq!(of_image("FROM"), "scratch");
    assert!(!last_stage().iter().any(|line| line.starts_with("RUN ")));
    assert_eq!(of_image("ENTRYPOINT"), r#"["/metaaccess-exporter"]"#);
}

#[test]
fn the_image_runs_as_a_user_whose_number_is_known() {
    assert_eq!(of_image("USER"), "65532:65532");
    let state = "COPY --from=build --chown=65532:65532 /state /state";
    assert!(last_stage().iter().any(|line| line == state));
}

#[test]
fn the_image_has_certificate_authorities_where_programs_look_for_them() {
    let authorities = "/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/";
    let copied = format!("COPY --from=build {authorities}");
    assert!(last_stage().contains(&copied));
}

#[test]
fn the_image_asks_the_program_itself_whether_it_is_well() {
    let check = of_image("HEALTHCHECK");
    let asks = r#"CMD ["/metaaccess-exporter", "healthcheck"]"#;
    assert!(check.ends_with(asks), "{check}");
    assert_eq!(of_image("STOPSIGNAL"), "SIGTERM");
}

#[test]
fn the_labels_of_the_image_are_what_the_manifest_of_the_program_says() {
    let labels = of_image("LABEL");
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("licenses", "Apache-2.0"),
        ("version", env!("CARGO_PKG_VERSION")),
    ] {
        let label = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(labels.contains(&label), "{label} in {labels}");
    }
}

#[test]
fn what_the_image_is_built_on_is_named_to_the_patch_and_needs_no_emulation() {
    let all = instructions();
    let rust = all.iter().find(|line| line.contains(" rust:"));
    let rust = rust.expect("a stage with Rust");
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let begin = format!("FROM --platform=$BUILDPLATFORM rust:{wanted}.");
    assert!(rust.starts_with(&begin), "{rust}");
    assert!(!rust.contains(":latest"));
    for architecture in ["amd64", "arm64"] {
        let stage = format!("FROM rust AS for-{architecture}");
        assert!(all.contains(&stage), "{stage}");
    }
}

/// Otherwise each change of the program would build its dependencies anew.
#[test]
fn the_dependencies_are_built_before_the_sources_are_copied() {
    let all = instructions();
    let place = |begin: &str| all.iter().position(|line| line.starts_with(begin));
    let built = place("RUN mkdir src").expect("dependencies");
    let copied = place("COPY src src").expect("sources");
    assert!(place("COPY Cargo.toml Cargo.lock") < Some(built) && built < copied);
    let clean = "cargo clean --release --target \"$TARGET\" --package metaaccess-exporter";
    assert!(all[built].contains(clean), "no stale program is left");
}

#[test]
fn the_image_is_built_by_what_builds_a_release() {
    let all = instructions();
    let builds = all.iter().filter(|it| it.contains("deploy/release/build "));
    assert_eq!(builds.filter(|it| it.starts_with("RUN ")).count(), 2);
    let taken = read(".dockerignore");
    assert!(taken.lines().any(|line| line == "!deploy/release/build"));
    assert!(Path::new(&path("deploy/release/build")).is_file());
}

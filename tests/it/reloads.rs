//! What a reload, or a restart with another file, leaves behind: nothing of what was, and nothing that
//! the API still counts is forgotten.

use std::time::Duration;

use metaaccess_exporter::simulator::{Fault, HeaderMode, Kind, Settings};

use crate::accounts::{BOTH, Folder, account, client, granting, reload, settle, written};
use crate::api::{self, Api};
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::wait::{throughout, until};

#[test]
fn what_failed_before_a_reload_does_not_fail_for_ever() {
    let api = Api::start(api::at_rest());
    let folder = Folder::new();
    let exporter = folder.exporter(&[account("one", &api, &[])], &[]);
    settle(&exporter, &[("one", &api, &BOTH)]);
    api.inject(Fault::always(Kind::Status {
        status: 500,
        retry_after: None,
    }));
    until(PATIENCE, "it fails", || {
        let samples = exporter.scrape();
        (samples.failing("device") == ["server_error"]).then_some(())
    });
    folder.write(&[account("one", &api, &["timeout: 2s"])]);
    api.clear_faults();
    assert_eq!(reload(&exporter).0, 200);
    let samples = settle(&exporter, &[("one", &api, &BOTH)]);
    assert_eq!(
        samples.failing("device"),
        [""; 0],
        "{}",
        samples.own_words()
    );
}

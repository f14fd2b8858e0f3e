//! The control plane: paths under `/simulator/` that tell the truth and change the world.

use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Simulator;
use super::posted::{
    Posted, PostedDrift, PostedFault, PostedHiding, PostedLine, PostedOrder, PostedOthers,
    PostedPurge, PostedRename,
};
use super::reply::Answer;
use super::told::{requests_json, truth_json};

const HELP: &str = r#"A simulator of the MetaAccess API with a known truth.

The API, as the vendor has it:
  GET    /o/api/v2/logs?access_token=...&limit=50&page=1&event_type=1
  GET    /o/api/v2/account?access_token=...
  POST   /o/oauth/token         client_id, client_secret, grant_type=client_credentials

What the vendor does not have; none of it counts for the rate limit:
  GET    /simulator/truth       every line ever logged, counted by label
  GET    /simulator/requests    what was asked, and the most in any window; ?list=1 for each
  POST   /simulator/lines       [{"event_type":"device","hostname":"TEST-R1W3Y","version":"1.1.1.1",
                                  "event":"Installed","date":"2013-12-06","time":"17:28"}, ...]
                                category is "MetaAccess" if missing; without date and time: now;
                                "description" if the log says more than the event; "minute" (since
                                1970) in place of a date; "raw" (any JSON) for a malformed entry,
                                "raw_date" for a malformed date
  POST   /simulator/faults      {"kind":"status","status":503,"target":"logs","times":2,"skip":0,"every":1}
                                kinds: status (status, retry_after), html, truncated, cut_off,
                                endless, redirect (location), hang, delay (ms, spread_ms),
                                late_arrival (ms, spread_ms), garbage, extra_lines (lines), reversed, reset;
                                target logs, token, account or all; also event_type and page
  GET    /simulator/faults      how many are not spent
  DELETE /simulator/faults      clears them
  POST   /simulator/purge       {"event_type":"device","oldest":10}, or "newest":10, or
                                "hostname":"TEST-R1W3Y"
  POST   /simulator/rename      {"event_type":"device","from":"TEST-R1W3Y","to":"<private>"}
  POST   /simulator/hide        {"event_type":"device"}: every hostname is <private> from now on
  POST   /simulator/order       {"order":"oldest-first"}, or "newest-first",
                                "newest-day-oldest-time", "oldest-day-newest-time",
                                "newest-page-oldest-time": how pages are shown from now on
  POST   /simulator/others      {"requests":5}: so many places of every window are others'
  POST   /simulator/pause       no line arrives, and simulated time stands still
  POST   /simulator/resume      it goes on from there
  POST   /simulator/drift       {"lines":3,"every":1,"purge":0}: after every "every"-th answer
  DELETE /simulator/tokens      ends the tokens that were issued
"#;

/// Why a command was not carried out, for the one who sent it.
struct Refused(u16, String);

/// Carries out a command: what follows `/simulator/` in the path.
pub fn answer(
    simulator: &Simulator,
    method: &Method,
    command: &str,
    query: &str,
    body: &[u8],
) -> Answer {
    let done = match (method.as_str(), command) {
        ("GET", "") => return text(HELP),
        ("GET", "truth") => {
            Ok(simulator.with(|vendor| truth_json(&vendor.world, &simulator.settings().timezone)))
        }
        ("GET", "requests") => Ok(requests(simulator, query)),
        ("POST", "lines") => lines(simulator, body),
        ("GET", "faults") => Ok(json!({ "in_force": simulator.faults_in_force() })),
        ("POST", "faults") => inject(simulator, body),
        ("POST", "purge") => purge(simulator, body),
        ("POST", "rename") => rename(simulator, body),
        ("POST", "hide") => hide(simulator, body),
        ("POST", "order") => order(simulator, body),
        ("POST", "others") => others(simulator, body),
        ("POST", "drift") => drift(simulator, body),
        ("POST", "pause") => done(|| simulator.pause()),
        ("POST", "resume") => done(|| simulator.resume()),
        ("DELETE", "faults") => done(|| simulator.clear_faults()),
        ("DELETE", "tokens") => done(|| simulator.revoke_tokens()),
        _ => Err(Refused(
            404,
            "there is no such command: see GET /simulator/".to_owned(),
        )),
    };
    match done {
        Ok(told) => Answer::json(200, &told),
        Err(Refused(status, reason)) => Answer::json(status, &json!({ "error": reason })),
    }
}

fn text(text: &str) -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
        body: text.into(),
    }
}

fn done(act: impl FnOnce()) -> Result<Value, Refused> {
    act();
    Ok(json!({}))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused(400, error.to_string()))
}

fn requests(simulator: &Simulator, query: &str) -> Value {
    let list =
        form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == "list" && value != "0");
    let started = simulator.started();
    simulator.with(|vendor| {
        requests_json(
            vendor.limiter.record(),
            vendor.limiter.limit(),
            started,
            list,
        )
    })
}

/// Logs all of the lines, or none where one cannot be read.
fn lines(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: Vec<PostedLine> = parsed(body)?;
    let appended = posted.len();
    let zone = &simulator.settings().timezone;
    simulator.with(|vendor| {
        let present = vendor.world.present();
        let lines: Result<Vec<Posted>, String> = posted
            .into_iter()
            .map(|line| line.posted(zone, present))
            .collect();
        for line in lines.map_err(|reason| Refused(400, reason))? {
            match line {
                Posted::Line(line) => vendor.world.append(&line),
                Posted::Malformed(log, minute, raw) => {
                    vendor.world.append_malformed(log, minute, raw)
                }
            }
        }
        Ok(json!({ "appended": appended }))
    })
}

fn inject(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let fault = parsed::<PostedFault>(body)?
        .fault()
        .map_err(|reason| Refused(400, reason))?;
    done(|| simulator.inject(fault))
}

fn purge(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: PostedPurge = parsed(body)?;
    let log = posted.event_type.0;
    let what = posted.purge().map_err(|reason| Refused(400, reason))?;
    Ok(json!({ "purged": simulator.purge(log, &what) }))
}

fn rename(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: PostedRename = parsed(body)?;
    let renamed = simulator.rename(posted.event_type.0, &posted.from, &posted.to);
    Ok(json!({ "renamed": renamed }))
}

fn hide(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: PostedHiding = parsed(body)?;
    Ok(json!({ "hidden": simulator.hide_hosts(posted.event_type.0) }))
}

fn order(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: PostedOrder = parsed(body)?;
    let order = posted.order().map_err(|reason| Refused(400, reason))?;
    done(|| simulator.turn(order))
}

fn others(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: PostedOthers = parsed(body)?;
    done(|| simulator.set_others(posted.requests))
}

fn drift(simulator: &Simulator, body: &[u8]) -> Result<Value, Refused> {
    let posted: PostedDrift = parsed(body)?;
    done(|| simulator.set_drift(posted.drift()))
}

//! The events that the dashboards and alerts look for, as matchers of labels.
//!
//! The vendor documents one description of an event of the log's: `Installed`. The others are the
//! words of its console, and the log's may differ, so that whatever has the same meaning is matched:
//! regular expressions without regard to case.

/// An agent was installed, by a new device or by one that had it before.
pub const INSTALLED: &str = r#"category="MetaAccess",event="Installed""#;

/// An agent is no longer on its device: "Uninstalled by a user", "Removed by an administrator".
pub const UNINSTALLED: &str = r#"event_type="device",event=~"(?i).*(uninstalled|removed by).*""#;

/// "Changed status to compliant", "Changed status to non-compliant".
pub const COMPLIANCE: &str = r#"event_type="device",event=~"(?i).*compliant.*""#;

/// "Changed status to non-compliant".
pub const NON_COMPLIANT: &str = r#"event_type="device",event=~"(?i).*non[- ]?compliant.*""#;

/// "Changed status to compliant".
pub const COMPLIANT: &str =
    r#"event_type="device",event=~"(?i).*compliant.*",event!~"(?i).*non[- ]?compliant.*""#;

/// "Admin Failed Authentication".
pub const FAILED_LOG_ON: &str =
    r#"event_type="admin",event=~"(?i).*(fail.*(authenti|log)|(authenti|log).*fail).*""#;

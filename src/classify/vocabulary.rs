//! The words that are no names: the vendor's phrases, and the English that logs are written in.

use std::sync::LazyLock;

use hashbrown::HashMap;

/// The vendor's words for events, as its console, its mails and its documented sample write them.
pub(super) const PHRASES: [&str; 28] = [
    "Installed",
    "Added",
    "Added with a duplicate MAC Address",
    "Exempted",
    "Unexempted",
    "Removed by an administrator",
    "Uninstalled by a user",
    "Changed status to compliant",
    "Changed status to non-compliant",
    "Granted access",
    "Revoked access",
    "Deleted by unseen setting",
    "Fetch log",
    "Scan threats",
    "Compliance check",
    "Changed Agent Version",
    "Admin Logged On",
    "Admin Logged Off",
    "Admin Failed Authentication",
    "Admin Changed Password",
    "Configuration Change",
    "Admin made configuration change",
    "Admin made configuration change policy",
    "Revoke Registration Code",
    "Submit Support Ticket",
    "Secure Access Configuration Change",
    "Allowed Vulnerabilities",
    "System Log",
];

/// What a known word says about the words round it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// Done by or to somebody: an unknown word before it or after it is a name.
    Action,
    /// Its name follows: `user`, `policy`.
    Introducer,
    /// Points at what follows, and means nothing without it.
    Preposition,
    /// Counts with the number before it, and means nothing without it: `seconds`.
    Unit,
    /// Says what a value is, and means nothing without it: `version`, `the`.
    Label,
}

const ACTIONS: &str = "added allowed approved assigned blocked cancelled changed confirmed created \
    declined deleted denied disabled downloaded edited enabled enrolled exempted exported granted \
    imported installed invited issued linked locked logged made marked modified moved opened \
    published quarantined reactivated registered rejected released removed renamed replaced \
    requested reset restored revoked sent set signed submitted suspended unassigned unblocked \
    unexempted uninstalled unlinked unlocked updated upgraded uploaded viewed wiped";

const INTRODUCERS: &str = "account accounts admin administrator administrators admins agent app \
    application computer department device devices domain endpoint file folder group groups host \
    hostname key label laptop location login machine member name named network office organization \
    owner person policies policy process product profile program role rule service site software \
    subject tag tags team tenant user username users vendor workstation zone";

const PREPOSITIONS: &str = "about after and as at before below between but by for from in into nor \
    of off on onto or out over per since through till to under until upon using via when while with \
    within";

const LABELS: &str = "a address addresses an build code date e-mail email guid id ids identifier ip \
    mac md number path port release serial sha sid the their this timestamp \
    uid url uuid v ver version versions";

const PLAIN: &str = "accepted access action actions active activated activation advanced alert \
    alerts all already always antimalware antiphishing antispyware antivirus any api archive archived \
    are assessment attached attempt attempts audit authenticated authentication authenticator \
    authorization auto automatic automatically available backup battery because been being block \
    browser cannot certificate change changes check checked checks clean cleaned cleared client \
    closed cloud code completed compliance compliant component config configuration configure \
    configured connected connection connector console content control copied could crashed created \
    critical cross-domain custom data database deactivated default delete deployed deployment \
    detected detection did disconnected disconnection disk does domain done down download drive due \
    duplicate during emergency empty encrypted encryption end ended engine entered error errors event \
    events exceeded exception exceptions executed exempt exemption expired external factor failed \
    failure false fetch fetched files finished firewall first fixed found full global grace guest had \
    handled has have health high hidden history import inactive incident incomplete infected infection \
    info information initiated install installation installer integration internal internet invalid \
    invitation is isolated isolation issue issues it its kernel last launched level license licenses \
    limit list local lock log logs long lost low malicious malware management manual manually maximum \
    media medium memory message method minimum missing mobile mode modification monitor monitored \
    monitoring more multi-factor needed needs new no non-compliant none normal not notification \
    notifications now occurred offline ok old one online only operating operation option other own \
    package page paired partially passed password passwords patch patched patches peer pending period \
    permission permissions pin portal potentially previous privacy private protection provider proxy \
    public push queue quarantine ransomware reached real-time reason reboot rebooted received recovery \
    recovered refreshed refused registration registry remediated remediation remote remotely removable \
    removal renewed repair repaired repeated report reported reports request requests required \
    requires resolved response restart restarted result results retried retry revoke risk risks \
    running safe saved scan scanned scanning scans schedule scheduled screen script secure \
    security seen self server session settings setting severity shared signature signatures single \
    skipped snapshot source sso standard start started state status still stopped storage submit success \
    successful successfully support suspicious switched sync synced synchronization synchronized \
    system tampering task temporary terminated test threat threats ticket token too total traffic \
    triggered true trust trusted turned two-factor type unable unauthorized unavailable uninstall \
    uninstallation unknown unmanaged unprotected unreachable unseen unsuccessful unsuccessfully \
    unsupported untrusted unwanted update updates upgrade upload usage usb valid validated validation \
    value verified vpn vulnerabilities vulnerability vulnerable waiting warning warnings was web \
    webhook were will wireless without wrong \
    defender ios linux mac macos metaaccess metadefender microsoft opswat windows unspecified";

const UNITS: &str = "am bytes day days gb hour hours kb mb min minute minutes month months ms percent \
    pm sec second seconds time times week weeks year years";

/// No word of the lists is longer.
const LONGEST_WORD: usize = 24;

static WORDS: LazyLock<HashMap<&'static [u8], Kind>> = LazyLock::new(|| {
    // Later lists win: a word that is in two has the kind with the stronger effect.
    let lists = [
        (PLAIN, Kind::Plain),
        (ACTIONS, Kind::Action),
        (INTRODUCERS, Kind::Introducer),
        (PREPOSITIONS, Kind::Preposition),
        (LABELS, Kind::Label),
        (UNITS, Kind::Unit),
    ];
    let words = |(list, kind): (&'static str, Kind)| {
        list.split(' ').map(move |word| (word.as_bytes(), kind))
    };
    lists.into_iter().flat_map(words).collect()
});

/// The vendor's phrase that this text is, case aside, as the vendor writes it.
pub(super) fn phrase(text: &str) -> Option<&'static str> {
    let same = |phrase: &&&str| phrase.eq_ignore_ascii_case(text);
    PHRASES.iter().find(same).copied()
}

/// The kind of a word, case and a possessive `'s` aside; none for a word that is not known.
pub(super) fn kind(word: &str) -> Option<Kind> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    let mut lower_case = [0; LONGEST_WORD];
    let lower_case = lower_case.get_mut(..word.len())?;
    lower_case.copy_from_slice(word.as_bytes());
    lower_case.make_ascii_lowercase();
    WORDS.get(&*lower_case).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_every_phrase_is_known() {
        for word in PHRASES.iter().flat_map(|phrase| phrase.split(' ')) {
            assert!(kind(word).is_some(), "{word}");
        }
    }

    #[test]
    fn every_word_of_the_lists_can_be_found() {
        for word in WORDS.keys() {
            let word = std::str::from_utf8(word).unwrap();
            assert!(!word.is_empty() && kind(word).is_some(), "{word:?}");
        }
    }

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(kind("MetaAccess"), Some(Kind::Plain));
        assert_eq!(kind("USER's"), Some(Kind::Introducer));
        assert_eq!(kind("Doe"), None);
        assert_eq!(kind(""), None);
    }

    #[test]
    fn phrases_are_told_from_texts_that_begin_with_them() {
        assert_eq!(phrase("INSTALLED"), Some("Installed"));
        assert_eq!(phrase("Installed by policy"), None);
    }
}

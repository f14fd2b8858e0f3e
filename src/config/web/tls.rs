//! `tls_server_config`: what was written -> what rustls is told.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SingleCertAndKey;
use rustls::{RootCertStore, ServerConfig};

use super::ciphers::{self, Version};
use super::clients::{self, ClientAuth};
use crate::config::ca;
use crate::config::files::Files;
use crate::config::key_pair;
use crate::config::mistake::{Mistake, Wrong};
use crate::config::setting::Setting;
use crate::config::value;
use crate::config::yaml::Spot;

/// TLS as it is to be spoken.
#[derive(Clone, Debug)]
pub struct Tls {
    pub config: Arc<ServerConfig>,
    /// Whether a client without a certificate is sent away.
    pub requires_certificate: bool,
}

/// The section as it was written. An empty text is as good as none, as it is to the toolkit.
#[derive(Debug, Default)]
pub struct Written {
    pub cert: Option<Setting>,
    pub cert_file: Option<Setting>,
    pub key: Option<Setting>,
    pub key_file: Option<Setting>,
    pub client_ca: Option<Setting>,
    pub client_ca_file: Option<Setting>,
    pub client_auth_type: Option<Setting>,
    pub client_allowed_sans: Option<(Spot, Vec<Setting>)>,
    pub min_version: Option<Setting>,
    pub max_version: Option<Setting>,
    pub cipher_suites: Vec<Setting>,
    pub prefer_server_cipher_suites: Option<Setting>,
    pub curve_preferences: Vec<Setting>,
}

/// What rustls is told; none, and mistakes, where it cannot be.
pub fn read(
    written: &Written,
    spot: Spot,
    files: &mut Files,
    mistakes: &mut Vec<Mistake>,
) -> Option<Tls> {
    let found = mistakes.len();
    let certificate = certificate(written, spot, files, mistakes);
    let clients = Clients::read(written, spot, files, mistakes);
    let versions = versions(written, spot, mistakes);
    let suites = each(&written.cipher_suites, ciphers::cipher, mistakes);
    let curves = each(&written.curve_preferences, ciphers::curve, mistakes);
    let prefers = (written.prefer_server_cipher_suites.as_ref())
        .map_or(Some(true), |given| given.read(value::switch, mistakes));
    let (Some((chain, key)), Some(clients), true) = (certificate, clients, mistakes.len() == found)
    else {
        return None;
    };
    let mut provider = ring::default_provider();
    provider.cipher_suites = ciphers::suites(&suites);
    if !curves.is_empty() {
        provider.kx_groups = curves;
    }
    let built = build(chain, key, &clients, &versions, provider);
    let mut config = built
        .map_err(|wrong| mistakes.push(section(spot, wrong)))
        .ok()?;
    config.ignore_client_order = prefers.unwrap_or(true);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Tls {
        config: Arc::new(config),
        requires_certificate: clients.auth.requires(),
    })
}

fn section(spot: Spot, what: impl fmt::Display) -> Mistake {
    Mistake::sentence(format!("{spot}: tls_server_config: {what}"))
}

fn each<T>(
    listed: &[Setting],
    meaning: impl Fn(&str) -> Result<T, Wrong>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<T> {
    let read = listed
        .iter()
        .filter_map(|setting| setting.read(&meaning, mistakes));
    read.collect()
}

fn build(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: &Clients,
    versions: &[Version],
    provider: CryptoProvider,
) -> Result<ServerConfig, String> {
    let provider = Arc::new(provider);
    let certified = key_pair::certified(chain, key, &provider)?;
    let verifier = clients::verifier(
        clients.auth,
        clients.authorities.clone(),
        &clients.allowed_names,
        &provider,
    );
    let verifier = verifier.map_err(|error| format!("client_ca cannot be used ({error})"))?;
    let versions: Vec<_> = versions.iter().map(|version| version.protocol()).collect();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let builder = builder.map_err(|error| {
        format!("versions, cipher_suites and curve_preferences leave nothing ({error}): leave out one of them")
    })?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
}

/// One of two settings, of which the first holds what the second names a file of.
fn inline_or_file<'a>(
    inline: &'a Option<Setting>,
    file: &'a Option<Setting>,
    mistakes: &mut Vec<Mistake>,
) -> Option<(&'a Setting, bool)> {
    let given = |setting: &'a Option<Setting>| setting.as_ref().filter(|s| !s.text.is_empty());
    match (given(inline), given(file)) {
        (Some(inline), Some(file)) => {
            let (spot, inline, file) = (file.spot, &inline.name, &file.name);
            mistakes.push(Mistake::sentence(format!(
                "{spot}: {file} stands beside {inline}; keep one of the two"
            )));
            None
        }
        (Some(inline), None) => Some((inline, false)),
        (None, file) => file.map(|file| (file, true)),
    }
}

/// What a setting holds, or the file that it names.
fn content<'a>(
    (setting, is_file): (&'a Setting, bool),
    files: &mut Files,
    mistakes: &mut Vec<Mistake>,
) -> Option<(&'a Setting, Vec<u8>)> {
    if !is_file {
        return Some((setting, setting.text.clone().into_bytes()));
    }
    let read = files.read(&setting.text).map_err(|error| {
        let mend = format!(
            "it cannot be read ({error}): check permissions, and that the path is right from the \
             folder of the web configuration"
        );
        mistakes.push(setting.wrong(&Wrong::new("a file", mend)));
    });
    Some((setting, read.ok()?))
}

type Certificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn certificate(
    written: &Written,
    spot: Spot,
    files: &mut Files,
    mistakes: &mut Vec<Mistake>,
) -> Option<Certificate> {
    let mut of = |inline, file, name: &str, mistakes: &mut Vec<Mistake>| {
        let found = mistakes.len();
        let given = inline_or_file(inline, file, mistakes);
        if given.is_none() && mistakes.len() == found {
            mistakes.push(section(
                spot,
                format_args!("neither {name}_file nor {name} is given; give one of them"),
            ));
        }
        content(given?, files, mistakes)
    };
    let chain = of(&written.cert, &written.cert_file, "cert", mistakes);
    let key = of(&written.key, &written.key_file, "key", mistakes);
    let chain = chain.and_then(|(setting, pem)| {
        let read = ca::certificates(&pem);
        read.map_err(|wrong| mistakes.push(setting.wrong(&wrong)))
            .ok()
    });
    let key = key.and_then(|(setting, pem)| {
        let read = key_pair::private_key(&pem);
        read.map_err(|wrong| mistakes.push(setting.wrong(&wrong)))
            .ok()
    });
    chain.zip(key)
}

fn versions(written: &Written, spot: Spot, mistakes: &mut Vec<Mistake>) -> Vec<Version> {
    let read = |given: &Option<Setting>, default, mistakes: &mut Vec<Mistake>| match given {
        Some(given) => given.read(ciphers::version, mistakes),
        None => Some(default),
    };
    let least = read(&written.min_version, Version::Tls12, mistakes);
    let most = read(&written.max_version, Version::Tls13, mistakes);
    let Some((least, most)) = least.zip(most) else {
        return Vec::new();
    };
    if least > most {
        mistakes.push(section(
            spot,
            "min_version is above max_version; leave out one of them",
        ));
    }
    let all = Version::ALL.into_iter();
    all.filter(|version| (least..=most).contains(version))
        .collect()
}

/// Which clients are let in.
struct Clients {
    auth: ClientAuth,
    authorities: RootCertStore,
    allowed_names: Vec<String>,
}

impl Clients {
    fn read(
        written: &Written,
        spot: Spot,
        files: &mut Files,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Self> {
        let ca = inline_or_file(&written.client_ca, &written.client_ca_file, mistakes);
        let ca = ca.and_then(|given| content(given, files, mistakes).map(Some).or(Some(None)));
        let auth = match &written.client_auth_type {
            Some(given) => given.read(clients::client_auth, mistakes)?,
            None => ClientAuth::default(),
        };
        let mut authorities = RootCertStore::empty();
        match &ca {
            Some(Some((setting, pem))) => match ca::certificates(pem) {
                Ok(certificates) => drop(authorities.add_parsable_certificates(certificates)),
                Err(wrong) => mistakes.push(setting.wrong(&wrong)),
            },
            // What is wrong with the file has been said.
            Some(None) => {}
            None if auth.verifies() => mistakes.push(section(
                spot,
                "client_auth_type verifies certificates, but no authority is given; name its file by client_ca_file",
            )),
            None => {}
        }
        if ca.is_some() && auth == ClientAuth::NoClientCert {
            mistakes.push(section(
                spot,
                "client_ca is given, but client_auth_type asks no client for a certificate; set it to RequireAndVerifyClientCert",
            ));
        }
        let allowed_names = allowed_names(written, auth, mistakes);
        Some(Self {
            auth,
            authorities,
            allowed_names,
        })
    }
}

fn allowed_names(written: &Written, auth: ClientAuth, mistakes: &mut Vec<Mistake>) -> Vec<String> {
    let Some((spot, listed)) = &written.client_allowed_sans else {
        return Vec::new();
    };
    let mut wrong = |what| {
        let name = "tls_server_config.client_allowed_sans";
        mistakes.push(Mistake::sentence(format!("{spot}: {name}: {what}")));
    };
    if !auth.requires() {
        wrong(
            "client_auth_type lets clients in without a certificate; set it to RequireAndVerifyClientCert",
        );
    }
    if listed.is_empty() {
        wrong("no name is listed, so that nobody could come in; list one, or leave it out");
    }
    listed.iter().map(|name| name.text.clone()).collect()
}

#[cfg(test)]
mod tests;

//! Whom to trust and who we are, by the options `cacertfile`, `certfile`, `keyfile` and `verify` of an address.

use std::io::{self, BufReader};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Address, Error, Kind, Result};

/// The cryptography everything here uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Certificates of a PEM file.
pub fn certificates(option: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let file = std::fs::File::open(path).map_err(|e| unreadable(option, path).because(e))?;
    let found = CertificateDer::pem_reader_iter(BufReader::new(file))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|e| unreadable(option, path).because(e))?;
    if found.is_empty() {
        return Err(Error::new(Kind::Usage, format!("{option}: {path} holds no PEM certificate")));
    }
    Ok(found)
}

fn unreadable(option: &str, path: &str) -> Error {
    Error::new(Kind::Usage, format!("{option}: {path} cannot be read"))
}

/// Whether the server's certificate is to be checked.
pub fn verifies(address: &Address) -> bool {
    !address.option("verify").is_some_and(|v| v.eq_ignore_ascii_case("verify_none"))
}

/// The configuration the options of an address ask for.
///
/// # Errors
/// `Usage` for files that cannot be read or do not hold what they should.
pub fn config(address: &Address) -> Result<ClientConfig> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(Kind::Tls, "TLS cannot be set up").because(e))?;
    let builder = if verifies(address) {
        builder.with_root_certificates(roots(address)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    };
    let mut config = match (address.option("certfile"), address.option("keyfile")) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), key) => {
            let key = key.unwrap_or(cert);
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable("keyfile", key).because(e))?;
            builder.with_client_auth_cert(certificates("certfile", cert)?, secret).map_err(|e| {
                Error::new(Kind::Usage, format!("certfile {cert} and keyfile {key} do not go together")).because(e)
            })?
        }
        (None, Some(_)) => return Err(Error::new(Kind::Usage, "keyfile is given without certfile")),
    };
    config.enable_sni = !sni_disabled(address);
    Ok(config)
}

fn sni_disabled(address: &Address) -> bool {
    address.option("server_name_indication") == Some("disable")
}

/// The name the server's certificate must have.
pub fn server_name<'a>(address: &'a Address, host: &'a str) -> &'a str {
    address.option("server_name_indication").filter(|n| *n != "disable").unwrap_or(host)
}

fn roots(address: &Address) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = address.option("cacertfile") {
        for certificate in certificates("cacertfile", path)? {
            roots.add(certificate).map_err(|e| unreadable("cacertfile", path).because(e))?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Error::new(
            Kind::Tls,
            "this machine has no certificate authorities that could vouch for the server",
        )
        .hint("name one with -X cacertfile=FILE"));
    }
    Ok(roots)
}

/// Encryption without knowing to whom, as asked for with `verify=verify_none`.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What a failure of TLS means; `None` where `e` is not one. `plain`: what to write for a port that does not speak TLS.
pub fn explain(e: &(dyn std::error::Error + 'static), host: &str, port: u16, plain: &str) -> Option<Error> {
    Some(match find(e)? {
        rustls::Error::InvalidCertificate(bad) => mistrust(bad, host),
        rustls::Error::InvalidMessage(_) => {
            Error::new(Kind::Tls, format!("{host}:{port} does not speak TLS")).hint(plain.to_owned())
        }
        rustls::Error::AlertReceived(alert) => {
            Error::new(Kind::Tls, format!("{host}:{port} refused our side of TLS: {alert:?}"))
                .hint("if it asks for a client certificate, name one with -X certfile=FILE -X keyfile=FILE")
        }
        other => Error::new(Kind::Tls, format!("TLS with {host}:{port} failed: {other}")),
    })
}

/// The failure of TLS underneath, however it is wrapped.
fn find<'a>(mut e: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    loop {
        if let Some(tls) = e.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        e = match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => inner,
            None => e.source()?,
        };
    }
}

fn mistrust(bad: &CertificateError, host: &str) -> Error {
    let verify = "or go without any check with -X verify=verify_none";
    match bad {
        CertificateError::UnknownIssuer => Error::new(
            Kind::Tls,
            format!("the certificate of {host} is not signed by an authority that is trusted here"),
        )
        .hint(format!("name the authority with -X cacertfile=FILE, {verify}")),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Error::new(Kind::Tls, format!("the certificate is not for {host}: {bad}"))
                .hint(format!("name the host it is for with -X server_name_indication=NAME, {verify}"))
        }
        _ => Error::new(Kind::Tls, format!("the certificate of {host} is not valid: {bad}"))
            .hint(format!("renew it, {verify}")),
    }
}

//! Whom a TLS connection believes. Owns certificates and their checks.
//! Never trusts an unknown server unless it was told to in so many words.

use super::target::Tls;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// What was configured cannot be used.
#[derive(Debug)]
pub(super) struct Unfit(&'static str);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Unfit {}

/// The name that the server's certificate has to be made out to.
pub(super) fn server_name(options: &Tls, host: &str) -> io::Result<ServerName<'static>> {
    let name = options.servername.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| wrong("`servername` is neither a host name nor an address"))
}

/// What makes the connection. Its errors never quote what is wrong, which may be a key.
pub(super) fn connector(options: &Tls) -> io::Result<TlsConnector> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let trusting = if options.reject_unauthorized {
        builder.with_root_certificates(roots(options)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    };
    let config = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(&cert.text(), "`cert` is not a certificate in PEM")?;
            let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                .map_err(|_| wrong("`key` is not a private key in PEM"))?;
            trusting.with_client_auth_cert(chain, key).map_err(|_| wrong("`cert` and `key` do not belong together"))?
        }
        (None, None) => trusting.with_no_client_auth(),
        _ => return Err(wrong("`cert` and `key` are given together or not at all")),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(options: &Tls) -> io::Result<RootCertStore> {
    let Some(ca) = &options.ca else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&ca.text(), "`ca` is not a certificate in PEM")? {
        roots.add(certificate).map_err(|_| wrong("`ca` has a certificate that cannot be used"))?;
    }
    Ok(roots)
}

fn certificates(pem: &str, complaint: &'static str) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(|| wrong(complaint))
}

fn wrong(complaint: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, Unfit(complaint))
}

/// Believes whoever holds the key of the certificate he shows, whatever is written in it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

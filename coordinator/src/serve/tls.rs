//! TLS of the server, from PEM files.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tenfold_core::failure::{ErrorCode, Failure};
use tokio_rustls::TlsAcceptor;

/// Certificates in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain of the server.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// Authority whose client certificates are believed.
    pub client_ca: Option<Vec<u8>>,
}

impl Tls {
    /// Accepts connections with these certificates, which speak one protocol, such as `h2`. A client
    /// without a certificate is let in: its calls need a token then.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn acceptor(&self, protocol: &str) -> Result<TlsAcceptor, Failure> {
        let chain = certificates(&self.certificate, "--tls-cert")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| unusable("--tls-key", error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("--tls-cert", error))?;
        let config = match &self.client_ca {
            Some(ca) => config.with_client_cert_verifier(verifier(ca)?),
            None => config.with_no_client_auth(),
        };
        let mut config = config
            .with_single_cert(chain, key)
            .map_err(|error| unusable("--tls-cert and --tls-key", error))?;
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn verifier(ca: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, "--client-ca")? {
        roots
            .add(certificate)
            .map_err(|error| unusable("--client-ca", error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable("--client-ca", error))
}

fn certificates(pem: &[u8], option: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| unusable(option, error))?;
    match read.is_empty() {
        true => Err(unusable(option, "there is no certificate in it")),
        false => Ok(read),
    }
}

fn unusable(option: &str, error: impl std::fmt::Display) -> Failure {
    Failure::config(format!("the file of {option} cannot be used: {error}"))
        .code(ErrorCode::Certificates)
        .remedy(
            "check that --tls-cert, --tls-key and --client-ca are PEM files that belong together",
        )
}

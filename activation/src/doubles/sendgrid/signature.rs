//! Signatures of SendGrid's event webhook: ECDSA over P-256 and SHA-256.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// What comes before the point of a public key in its DER form (RFC 5480), for P-256.
const HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key pair of one double, made when it starts.
pub(in crate::doubles) struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    /// None where the machine has no randomness.
    pub fn new() -> Option<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pair.as_ref(), &random).ok()?;
        Some(Self { pair, random })
    }

    /// The public key as SendGrid shows it.
    pub fn public_key(&self) -> String {
        let mut key = HEAD.to_vec();
        key.extend_from_slice(self.pair.public_key().as_ref());
        STANDARD.encode(key)
    }

    /// The signature over the time and the body.
    pub fn sign(&self, timestamp: &str, body: &str) -> Option<String> {
        let signed = format!("{timestamp}{body}");
        let signature = self.pair.sign(&self.random, signed.as_bytes()).ok()?;
        Some(STANDARD.encode(signature))
    }
}

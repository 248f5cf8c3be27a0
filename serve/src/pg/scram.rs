//! SCRAM-SHA-256 (RFC 5802, RFC 7677): a client shows that it knows a password which the server does
//! not know and does not see.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use tenfold_coordinator::serve::access::random;
use tenfold_core::failure::Failure;

/// The name of the exchange.
pub const METHOD: &str = "SCRAM-SHA-256";

/// How often a password is hashed. The passwords are made by the program and have 256 random bits.
const ITERATIONS: u32 = 4096;

/// What a password is checked by. Whoever has it cannot pretend to have the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl Verifier {
    /// The verifier of a password, with a salt of its own.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn new(password: &str) -> Result<Self, Failure> {
        let salt = Sha256::digest(random()?.as_bytes())[..16].to_vec();
        Ok(Self::of(password, salt, ITERATIONS))
    }

    /// The verifier of nobody: for an unknown name the exchange goes on to its end, and is the same
    /// each time, so that it does not tell who is known.
    pub fn of_nobody(name: &str, secret: &[u8]) -> Self {
        let salt = hmac(secret, name.as_bytes());
        Self {
            iterations: ITERATIONS,
            salt: salt[..16].to_vec(),
            stored_key: hmac(secret, &salt),
            server_key: [0; 32],
        }
    }

    fn of(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = hash(password.as_bytes(), &salt, iterations);
        Self {
            iterations,
            salt,
            stored_key: Sha256::digest(hmac(&salted, b"Client Key")).into(),
            server_key: hmac(&salted, b"Server Key"),
        }
    }

    /// Reads it as PostgreSQL writes it.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (first, second) = rest.split_once('$')?;
        let (iterations, salt) = first.split_once(':')?;
        let (stored_key, server_key) = second.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        Some(Self {
            iterations: iterations.parse().ok().filter(|count| *count > 0)?,
            salt: STANDARD.decode(salt).ok()?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// Writes it as PostgreSQL does.
    pub fn written(&self) -> String {
        format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        )
    }
}

/// An exchange that has begun.
pub struct Exchange {
    verifier: Verifier,
    /// What the client said about itself, to be said again.
    header: String,
    nonce: String,
    /// What both have said so far.
    said: String,
}

impl Exchange {
    /// Takes the first message of a client: the exchange, and what to answer.
    pub fn begin(verifier: Verifier, first: &str, own: &str) -> Option<(Self, String)> {
        // Without channel binding, or with the remark that the server seems to have none.
        let flag = first.split(',').next()?;
        if flag != "n" && flag != "y" {
            return None;
        }
        let header_end = first.match_indices(',').nth(1)?.0 + 1;
        let (header, bare) = first.split_at(header_end);
        let nonce = bare.split(',').find_map(|part| part.strip_prefix("r="))?;
        if nonce.is_empty() {
            return None;
        }
        let nonce = format!("{nonce}{own}");
        let salt = STANDARD.encode(&verifier.salt);
        let answer = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let exchange = Self {
            said: format!("{bare},{answer}"),
            header: STANDARD.encode(header),
            verifier,
            nonce,
        };
        Some((exchange, answer))
    }

    /// Takes the last message of a client: what to answer when it has the password.
    pub fn end(self, last: &str) -> Option<String> {
        let (without_proof, proof) = last.rsplit_once(",p=")?;
        let part = |name: &str| {
            without_proof
                .split(',')
                .find_map(|one| one.strip_prefix(name))
        };
        if part("c=")? != self.header || part("r=")? != self.nonce {
            return None;
        }
        let proof: [u8; 32] = STANDARD.decode(proof).ok()?.try_into().ok()?;
        let said = format!("{},{without_proof}", self.said);
        let signature = hmac(&self.verifier.stored_key, said.as_bytes());
        let mut client_key = proof;
        for (byte, mask) in client_key.iter_mut().zip(signature) {
            *byte ^= mask;
        }
        let shown: [u8; 32] = Sha256::digest(client_key).into();
        // The bytes that are compared are hashes of what nobody can choose: how long it takes
        // tells nothing.
        let knows = shown == self.verifier.stored_key;
        let answer = hmac(&self.verifier.server_key, said.as_bytes());
        knows.then(|| format!("v={}", STANDARD.encode(answer)))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        // Keys of any length are keys.
        Err(_) => [0; 32],
    }
}

/// PBKDF2 with one block.
fn hash(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut all = last;
    for _ in 1..iterations {
        last = hmac(password, &last);
        for (byte, other) in all.iter_mut().zip(last) {
            *byte ^= other;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_exchange_is_that_of_the_standard() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::of("pencil", salt, 4096);
        let own = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let (exchange, answer) = Exchange::begin(verifier.clone(), first, own).unwrap();
        assert_eq!(
            answer,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(
            exchange.end(last).unwrap(),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let again = || Exchange::begin(verifier.clone(), first, own).unwrap().0;
        for wrong in [
            last.replace("dHzb", "dHzc"),
            last.replace("biws", "biwt"),
            last.replace("k0,p", "k1,p"),
            "c=biws".to_owned(),
        ] {
            assert_eq!(again().end(&wrong), None, "{wrong}");
        }
        assert!(Exchange::begin(verifier.clone(), "p=tls-unique,,n=,r=a", own).is_none());
    }

    #[test]
    fn a_verifier_is_read_as_it_was_written() {
        let verifier = Verifier::new("secret").unwrap();
        assert_eq!(Verifier::read(&verifier.written()), Some(verifier.clone()));
        assert_ne!(Verifier::new("secret").unwrap(), verifier);
        for wrong in ["", "md5abc", "SCRAM-SHA-256$0:AA==$AA==:AA=="] {
            assert_eq!(Verifier::read(wrong), None, "{wrong}");
        }
        let nobody = Verifier::of_nobody("a", b"secret");
        assert_eq!(nobody, Verifier::of_nobody("a", b"secret"));
        assert_ne!(nobody.salt, Verifier::of_nobody("b", b"secret").salt);
    }
}

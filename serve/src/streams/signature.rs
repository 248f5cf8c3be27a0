//! Whether a request comes from the sender that it says: by a signature over its bytes, or by a text
//! that its address ends with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hyper::header::HeaderMap;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use tenfold_core::failure::{ErrorCode, Failure};

/// How far the time of a signature may be from ours, in seconds.
const WINDOW: i64 = 300;

/// The header of our own signatures, which those of notifications have too.
const OURS: &str = "tenfold-signature";

/// The headers of SendGrid's signatures.
const SENDGRID: &str = "x-twilio-email-event-webhook-signature";
const SENDGRID_TIME: &str = "x-twilio-email-event-webhook-timestamp";

/// What comes before the point in a public key of P-256 (RFC 5480, DER).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Checks SendGrid's signature: ECDSA over P-256 of the time and the body. Its time is not held against
/// ours: what is sent again has the same identity and counts once.
///
/// # Errors
/// When it does not fit.
pub fn sendgrid(public_key: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Failure> {
    let key = STANDARD.decode(public_key).ok();
    let key = key.as_deref().and_then(|key| key.strip_prefix(&P256));
    let key = key.ok_or_else(|| {
        Failure::config("what is declared as the public key of SendGrid's signatures is none")
            .remedy("SendGrid shows it where signatures of the event webhook are turned on")
    })?;
    let time = header(headers, SENDGRID_TIME)?;
    let signature = STANDARD.decode(header(headers, SENDGRID)?);
    let signature = signature.map_err(|_| wrong("its signature is not in base64"))?;
    let signed = [time.as_bytes(), body].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
    key.verify(&signed, &signature)
        .map_err(|_| wrong("its signature does not fit"))
}

/// Checks a signature of our own kind: `t=SECONDS,v1=HEX`, HMAC-SHA256 of time, a point and the body.
///
/// # Errors
/// When it does not fit, or is of another time.
pub fn ours(secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> Result<(), Failure> {
    let said = header(headers, OURS)?;
    let part = |name: &str| {
        let mut parts = said
            .split(',')
            .filter_map(|part| part.trim().split_once('='));
        parts
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    };
    let time = part("t").and_then(|time| time.parse::<i64>().ok());
    let (Some(time), Some(signature)) = (time, part("v1").and_then(bytes)) else {
        return Err(wrong("its signature is not like `t=SECONDS,v1=HEX`"));
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| Failure::bug(error.to_string()))?;
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    mac.verify_slice(&signature)
        .map_err(|_| wrong("its signature does not fit"))?;
    match now.abs_diff(time) > WINDOW.unsigned_abs() {
        true => Err(wrong(
            "its signature is older than five minutes, or not of now",
        )),
        false => Ok(()),
    }
}

/// Checks the text that an address ends with.
///
/// # Errors
/// When it is another.
pub fn key(secret: &str, key: Option<&str>) -> Result<(), Failure> {
    // Hashes tell nothing by the time that it takes to compare them.
    match key.is_some_and(|key| Sha256::digest(key) == Sha256::digest(secret)) {
        true => Ok(()),
        false => Err(wrong("its address does not end with the declared `?key=`")),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Failure> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| wrong(&format!("it has no header {name}")))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    (hex.len().is_multiple_of(2) && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| digits.map(byte).collect())
        .flatten()
}

fn wrong(what: &str) -> Failure {
    Failure::config(format!("the request is not signed by its sender: {what}"))
        .code(ErrorCode::WrongSignature)
        .remedy(
            "check the secret that the source declares under `mail:` against that of the sender",
        )
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    /// Key, signature, time and body of the tests of SendGrid's own libraries
    /// (sendgrid/sendgrid-python, test/unit/test_eventwebhook.py).
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    const SIGNATURE: &str = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=";
    const TIME: &str = "1600112502";
    const BODY: &str = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";

    #[test]
    fn sendgrids_own_example_is_signed_by_it() {
        let signed = headers(&[(SENDGRID, SIGNATURE), (SENDGRID_TIME, TIME)]);
        assert_eq!(sendgrid(KEY, &signed, BODY.as_bytes()), Ok(()));
        let other_time = headers(&[(SENDGRID, SIGNATURE), (SENDGRID_TIME, "1600112503")]);
        let other_body = BODY.replace("dropped", "open");
        for refused in [
            sendgrid(KEY, &other_time, BODY.as_bytes()),
            sendgrid(KEY, &signed, other_body.as_bytes()),
            sendgrid(KEY, &headers(&[(SENDGRID, SIGNATURE)]), BODY.as_bytes()),
            sendgrid(KEY, &headers(&[]), BODY.as_bytes()),
        ] {
            assert_eq!(refused.unwrap_err().number(), "E2121");
        }
        let no_key = sendgrid("bm90IGEga2V5", &signed, BODY.as_bytes()).unwrap_err();
        assert!(no_key.message.contains("public key"), "{no_key}");
    }

    #[test]
    fn our_signatures_are_those_of_openssl_and_of_now() {
        // printf "1.what do ya want for nothing?" | openssl dgst -sha256 -hmac Jefe
        let said = "t=1,v1=a9049465ce89cfb8e9aac62333abda66f80e3403f51f57f6bae3c3a4485eca38";
        let signed = headers(&[(OURS, said)]);
        let body = b"what do ya want for nothing?";
        assert_eq!(ours("Jefe", &signed, body, 301), Ok(()));
        let later = said.replace("t=1,", "t=2,");
        for refused in [
            ours("Jefe", &signed, body, 302),
            ours("Jefe", &signed, b"what", 1),
            ours("jefe", &signed, body, 1),
            ours("Jefe", &headers(&[(OURS, &later)]), body, 1),
            ours("Jefe", &headers(&[(OURS, "t=1,v1=zz")]), body, 1),
            ours("Jefe", &headers(&[(OURS, "v1=00")]), body, 1),
            ours("Jefe", &headers(&[]), body, 1),
        ] {
            assert_eq!(refused.unwrap_err().number(), "E2121");
        }
    }

    #[test]
    fn an_address_ends_with_its_key() {
        assert_eq!(key("secret", Some("secret")), Ok(()));
        for other in [None, Some(""), Some("secre"), Some("Secret")] {
            assert_eq!(key("secret", other).unwrap_err().number(), "E2121");
        }
    }
}

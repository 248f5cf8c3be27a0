//! Whether the certificates that a configuration names are about to end.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_store::doctor::Check;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::args::Examined;
use crate::service::client::read;

const NAME: &str = "certificate";
/// Certificates that end within so many days are worth a warning.
const SOON_DAYS: i64 = 30;
const DAY_SECONDS: i64 = 86_400;

/// From when until when a certificate counts, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Validity {
    from: i64,
    until: i64,
}

/// One check for each file of certificates that the command line, the environment or the
/// configuration file names.
pub fn certificates(examined: &Examined, now_ms: i64) -> Vec<Check> {
    let named = [
        ("--tls-cert", &examined.tls_cert),
        ("--client-ca", &examined.client_ca),
        ("--ca", &examined.remote.ca),
        ("--client-cert", &examined.remote.client_cert),
    ];
    let files = named
        .iter()
        .filter_map(|(option, file)| Some((*option, file.as_ref()?)));
    files
        .map(|(option, file)| match in_file(option, file) {
            Ok(validity) => judged(option, file, validity, now_ms / 1000),
            Err(failure) => Check::of(NAME, Err(failure)),
        })
        .collect()
}

/// When the certificates of a file count, all of them.
fn in_file(option: &str, file: &Path) -> Result<Validity, Failure> {
    let bytes = read(file)?;
    let unusable = |why: &str| {
        Failure::config(format!("{} of {option}: {why}", file.display()))
            .code(ErrorCode::Certificates)
            .remedy("give a file of certificates in PEM")
    };
    let mut all: Option<Validity> = None;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| unusable(&error.to_string()))?;
        let one = validity(&certificate).ok_or_else(|| unusable("this is no certificate"))?;
        let so_far = all.unwrap_or(one);
        all = Some(Validity {
            from: so_far.from.max(one.from),
            until: so_far.until.min(one.until),
        });
    }
    all.ok_or_else(|| unusable("there is no certificate in it"))
}

fn judged(option: &str, file: &Path, validity: Validity, now: i64) -> Check {
    let place = format!("{} of {option}", file.display());
    let (from, until) = (day(validity.from), day(validity.until));
    let renew = "renew it in place: a coordinator reads it again within seconds";
    let failed = |what: String, remedy: &str| {
        Check::of(
            NAME,
            Err(Failure::config(format!("{place} {what}")).remedy(remedy)),
        )
    };
    if now < validity.from {
        return failed(
            format!("counts from {from} on"),
            "check the clock of this machine",
        );
    }
    match (validity.until - now).div_euclid(DAY_SECONDS) {
        ..0 => failed(format!("ended on {until}"), renew),
        days @ ..SOON_DAYS => Check::warning(
            NAME,
            format!("{place} ends in {days} days, on {until}"),
            renew,
        ),
        _ => Check::of(NAME, Ok(format!("{place} counts until {until}"))),
    }
}

fn day(seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%F").to_string()
}

/// When a certificate counts; none when these bytes are no certificate.
fn validity(certificate: &[u8]) -> Option<Validity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some(Validity {
        from: validity.not_before.timestamp(),
        until: validity.not_after.timestamp(),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tenfold_store::doctor::Verdict;

    use super::*;

    /// A certificate that counts from the beginning of one year to that of another.
    fn certificate(from: i32, until: i32) -> String {
        let mut wanted = CertificateParams::default();
        wanted.not_before = date_time_ymd(from, 1, 1);
        wanted.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        wanted.self_signed(&key).unwrap().pem()
    }

    fn read(text: &str) -> Result<Validity, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        in_file("--client-ca", &file)
    }

    fn midnight(text: &str) -> i64 {
        let at: jiff::Timestamp = format!("{text}T00:00:00Z").parse().unwrap();
        at.as_second()
    }

    #[test]
    fn the_times_of_a_certificate_are_read_in_both_forms() {
        for (from, until) in [(2024, 2025), (1999, 2049), (2024, 2050), (2051, 2124)] {
            let expected = Validity {
                from: midnight(&format!("{from}-01-01")),
                until: midnight(&format!("{until}-01-01")),
            };
            assert_eq!(read(&certificate(from, until)).unwrap(), expected);
        }
        let chain = certificate(2020, 2030) + &certificate(2024, 2040);
        let expected = Validity {
            from: midnight("2024-01-01"),
            until: midnight("2030-01-01"),
        };
        assert_eq!(read(&chain).unwrap(), expected, "all of a file count");
    }

    #[test]
    fn a_certificate_is_worth_a_warning_a_month_before_it_ends() {
        let validity = Validity {
            from: midnight("2024-01-01"),
            until: midnight("2024-12-31"),
        };
        for (day, verdict, said) in [
            ("2023-12-31", Verdict::Failed, "counts from 2024-01-01 on"),
            ("2024-01-01", Verdict::Ok, "counts until 2024-12-31"),
            ("2024-12-01", Verdict::Ok, "counts until 2024-12-31"),
            (
                "2024-12-02",
                Verdict::Warning,
                "ends in 29 days, on 2024-12-31",
            ),
            ("2024-12-31", Verdict::Warning, "ends in 0 days"),
            ("2025-01-01", Verdict::Failed, "ended on 2024-12-31"),
        ] {
            let check = judged("--ca", Path::new("ca.pem"), validity, midnight(day));
            assert_eq!(check.verdict, verdict, "{day}: {check:?}");
            let expected = format!("ca.pem of --ca {said}");
            assert!(check.detail.starts_with(&expected), "{day}: {check:?}");
            assert_eq!(check.remedy.is_empty(), verdict == Verdict::Ok);
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let whole = certificate(2024, 2025);
        let cut = {
            let lines: Vec<&str> = whole.lines().collect();
            [&lines[..2], &lines[lines.len() - 1..]].concat().join("\n")
        };
        for text in [
            "",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &cut,
        ] {
            let failure = read(text).unwrap_err();
            assert!(
                failure.message.contains("ca.pem of --client-ca"),
                "{failure}"
            );
            assert_eq!(failure.remedy, "give a file of certificates in PEM");
            assert_eq!(failure.code, Some(ErrorCode::Certificates));
        }
    }

    #[test]
    fn no_bytes_whatsoever_are_read_beyond_their_end() {
        let text = certificate(2024, 2025);
        let whole = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "{length}");
        }
        for place in 0..whole.len().min(200) {
            let mut bytes = whole.to_vec();
            bytes[place] = 0xff;
            // What it says does not matter: it says something or nothing.
            let _ = validity(&bytes);
        }
    }
}

//! The pages that people look at: files that hold no data, so that nobody has to say who they are to get them.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::read::GzDecoder;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_hex;
use tenfold_dashboard::{PAGES, Page, page};

use crate::http::{Body, text};

/// What pages may do: run our own scripts and styles, and ask this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; font-src 'self'; form-action 'none'; frame-ancestors 'none'; \
                      base-uri 'none'";
/// Files whose names follow from their content end with so many letters of a hash, behind a `-`.
const HASH: usize = 8;
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Asked for each time whether it is still so.
const ASKED: &str = "no-cache";

/// The answer to a request for a file of the pages; none where the path is that of none.
pub fn answer(
    method: &str,
    path: &str,
    headers: &HeaderMap,
) -> Option<Result<Response<Body>, Failure>> {
    let page = page(path).filter(|_| method == "GET")?;
    Some(file(page, headers))
}

fn file(page: &Page, asked: &HeaderMap) -> Result<Response<Body>, Failure> {
    let compressed = page.gzip && takes_gzip(asked);
    let mark = mark(page, compressed);
    let is_known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| known.split(',').any(|one| one.trim() == mark));
    let mut response = match is_known {
        true => {
            let mut response = text(kind(page.path), Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => text(kind(page.path), body(page, compressed)?),
    };
    let cached = match is_for_ever(page.path) {
        true => FOR_EVER,
        false => ASKED,
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(mark) = HeaderValue::from_str(&mark) {
        headers.insert(header::ETAG, mark);
    }
    if compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn body(page: &Page, compressed: bool) -> Result<Bytes, Failure> {
    if compressed || !page.gzip {
        return Ok(Bytes::from_static(page.bytes));
    }
    let mut plain = Vec::new();
    GzDecoder::new(page.bytes)
        .read_to_end(&mut plain)
        .map_err(|error| Failure::bug(format!("{} cannot be unpacked: {error}", page.path)))?;
    Ok(Bytes::from(plain))
}

/// Hashes of the files, by their paths: the files stay as they are.
static HASHES: LazyLock<BTreeMap<&str, String>> = LazyLock::new(|| {
    let hashed = PAGES.iter().map(|page| (page.path, sha256_hex(page.bytes)));
    hashed.collect()
});

/// What tells a file, and the form it is sent in, from others.
fn mark(page: &Page, compressed: bool) -> String {
    let hash = HASHES.get(page.path).map_or("", String::as_str);
    let short = hash.get(..32).unwrap_or(hash);
    let form = if compressed { "-gzip" } else { "" };
    format!("\"{short}{form}\"")
}

/// Whether whoever asks takes files that are compressed by gzip: they name it, and not with a weight of none.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let named = asked.get_all(header::ACCEPT_ENCODING).iter();
    let named = named.filter_map(|named| named.to_str().ok());
    named.flat_map(|named| named.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=");
        let none = weight.is_some_and(|weight| weight.trim().parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !none
    })
}

/// Whether a file's name follows from its content.
fn is_for_ever(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let bytes = stem.as_bytes();
    let hyphen = bytes
        .len()
        .checked_sub(HASH + 1)
        .and_then(|at| bytes.get(at));
    path.starts_with("/assets/") && hyphen == Some(&b'-')
}

/// Media type of a file, by its ending.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (said, taken) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(said));
            assert_eq!(takes_gzip(&headers), taken, "{said}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn names_that_follow_from_content_are_kept_for_ever() {
        for (path, for_ever) in [
            ("/assets/index-B8F1UGXR.js", true),
            ("/assets/sql-CHj3iLq-.js", true),
            ("/assets/licences.txt", false),
            ("/index.html", false),
            ("/other/index-B8F1UGXR.js", false),
        ] {
            assert_eq!(is_for_ever(path), for_ever, "{path}");
        }
    }

    #[test]
    fn other_methods_and_paths_are_none_of_pages() {
        let headers = HeaderMap::new();
        assert!(answer("GET", "/", &headers).is_some());
        assert!(answer("POST", "/", &headers).is_none());
        for path in ["/v1/sql", "/none", "//", "/../Cargo.toml", "/assets/"] {
            assert!(answer("GET", path, &headers).is_none(), "{path}");
        }
    }
}

//! What the doubles post to others by themselves: callbacks and events.

use std::net::IpAddr;
use std::time::Duration;

use url::{Host, Url};

/// A receiver has so long to answer.
const TAKES: Duration = Duration::from_secs(10);

/// Something to post.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// An address on this machine. The doubles reach no other: what they hold is test data, but whoever
/// tries them out may have put people in.
pub(super) fn near(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let near = match url.host()? {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(ip) => IpAddr::V4(ip).is_loopback(),
        Host::Ipv6(ip) => IpAddr::V6(ip).is_loopback(),
    };
    (near && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// The client that posts: to whom it is told, and by no proxy of the environment, which may be another
/// machine.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TAKES)
        .build()
}

impl Outgoing {
    /// Posts it; the status, or none when nobody answered.
    pub async fn post(self, client: &reqwest::Client) -> Option<u16> {
        let mut request = client.post(self.url).body(self.body);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_posted_to() {
        for url in [
            "http://127.0.0.1:1/x",
            "https://localhost/",
            "http://[::1]:2/",
        ] {
            assert!(near(url).is_some(), "{url}");
        }
        for url in [
            "http://x.test/",
            "ftp://127.0.0.1/",
            "http://10.0.0.1/",
            "x",
        ] {
            assert!(near(url).is_none(), "{url}");
        }
    }
}

//! The pages, asked for over real connections.

use super::*;

async fn get(service: &Service, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = service.ask("GET", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn pages_need_no_token_and_may_do_little() {
    let (_, line) = new_token("one", Role::Viewer).unwrap();
    let access = Access::from_tokens(&line, "tokens").unwrap();
    let service = Service::with(LIMITS, access).await;
    let index = get(&service, "/", &[]).await;
    assert_eq!(index.status(), 200);
    assert_eq!(header(&index, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&index, "cache-control"), "no-cache");
    assert_eq!(header(&index, "x-content-type-options"), "nosniff");
    assert_eq!(header(&index, "referrer-policy"), "no-referrer");
    let policy = header(&index, "content-security-policy").to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let mark = header(&index, "etag").to_owned();
    let again = get(&service, "/", &[("if-none-match", &mark)]).await;
    assert_eq!(again.status(), 304);
    assert_eq!(again.bytes().await.unwrap().len(), 0);
    let head = service.ask("HEAD", "/").send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), header(&head, "etag")),
        (200, &*mark)
    );
    // What holds data is as before.
    let (status, _) = problem(get(&service, "/v1/tables", &[]).await).await;
    assert_eq!(status, 401);
    let (status, wrong) = problem(get(&service, "/nothing", &[]).await).await;
    assert_eq!((status.as_u16(), &wrong["code"]), (404, &json!("E2215")));
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_sent_as_they_are_taken() {
    let service = Service::start(LIMITS).await;
    let index = get(&service, "/", &[]).await.text().await.unwrap();
    let script = index.split('"').find(|text| text.starts_with("/assets/"));
    let script = script.unwrap().to_owned();
    let plain = get(&service, &script, &[]).await;
    assert_eq!(plain.status(), 200, "{script}");
    assert!(header(&plain, "cache-control").contains("immutable"));
    assert_eq!(header(&plain, "content-encoding"), "");
    let plain_mark = header(&plain, "etag").to_owned();
    let plain = plain.bytes().await.unwrap();
    let packed = get(&service, &script, &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert_eq!(header(&packed, "vary"), "Accept-Encoding");
    assert_ne!(header(&packed, "etag"), plain_mark);
    let packed = packed.bytes().await.unwrap();
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&packed[..]);
    std::io::Read::read_to_end(&mut reader, &mut unpacked).unwrap();
    assert!(unpacked == plain, "they differ");
    let known = get(&service, &script, &[("if-none-match", &plain_mark)]).await;
    assert_eq!(known.status(), 304);
}

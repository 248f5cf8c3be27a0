//! What no driver of ours asks of the doubles: imports of listmonk, batches of Mailchimp, uploads to
//! SendGrid, tokens and callbacks of Eloqua.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;
use tenfold_activation::doubles::Doubles;

use crate::lab::{Lab, told};

#[tokio::test]
async fn doubles_listen_on_this_machine_alone() {
    let refused = Doubles::bind("0.0.0.0:0".parse().unwrap(), Vec::new()).await;
    assert!(refused.err().unwrap().message.contains("other machines"));
}

#[tokio::test]
async fn pages_of_other_sites_are_not_answered() {
    let lab = Lab::new("").await;
    for (name, value) in [
        ("host", "rebound.test"),
        ("host", "rebound.test:7460"),
        ("origin", "http://other.test"),
        ("origin", "null"),
    ] {
        let (status, said) = lab.get("/__inspect", &[(name, value)]).await;
        assert_eq!(status, 403, "{name} {value}");
        assert_eq!(said["listmonk"], json!(null));
    }
    assert_eq!(
        lab.get("/__inspect", &[("host", "localhost:1")]).await.0,
        200
    );
}

#[tokio::test]
async fn listmonk_imports_one_file_at_a_time() {
    let lab = Lab::new("").await;
    let auth = [("authorization", "token api_user:double")];
    let params = json!({"mode": "subscribe", "subscription_status": "confirmed", "delim": ",",
                        "lists": [1], "overwrite": true});
    let csv = "email,name,attributes\na@x.test,Ann,\"{\"\"decile\"\": 3}\"\nnobody,,\n";
    let form = format!(
        "--X\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n{params}\r\n\
         --X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.csv\"\r\n\r\n{csv}\r\n--X--\r\n"
    );
    let import = || {
        let request = lab
            .http
            .post(format!("{}/listmonk/api/import/subscribers", lab.base));
        let request = request.header(auth[0].0, auth[0].1);
        let kind = "multipart/form-data; boundary=X";
        request
            .header("content-type", kind)
            .body(form.clone())
            .send()
    };
    let (status, begun) = told(import().await.unwrap()).await;
    assert_eq!(
        (status, &begun["data"]["status"]),
        (200, &json!("importing"))
    );
    assert_eq!(told(import().await.unwrap()).await.0, 400, "one at a time");
    let mut states = Vec::new();
    for _ in 0..3 {
        let (_, state) = lab.get("/listmonk/api/import/subscribers", &auth).await;
        states.push(state["data"]["status"].clone());
    }
    assert_eq!(states, ["importing", "importing", "finished"]);
    let (_, log) = lab
        .get("/listmonk/api/import/subscribers/logs", &auth)
        .await;
    assert!(log["data"].as_str().unwrap().contains("line 3"), "{log}");
    let held = lab.inspect().await;
    let all = held["listmonk"]["subscribers"].as_object().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all["a@x.test"]["attribs"], json!({"decile": 3}));
    assert_eq!(told(import().await.unwrap()).await.0, 200);
}

#[tokio::test]
async fn mailchimp_carries_out_batches_and_gives_a_tar() {
    let lab = Lab::new("").await;
    let auth = [("authorization", "Bearer double-us1")];
    let member = json!({"email_address": "a@x.test", "status": "subscribed"}).to_string();
    let operations = json!({"operations": [
        {"method": "POST", "path": "/lists/a1b2c3d4e5/members", "operation_id": "one", "body": member},
        {"method": "GET", "path": "/lists/none", "operation_id": "two"},
        {"method": "POST", "path": "/batches", "operation_id": "three", "body": "{}"},
    ]});
    let (status, batch) = lab.post("/mailchimp/3.0/batches", &auth, &operations).await;
    assert_eq!((status, &batch["status"]), (200, &json!("pending")));
    let path = format!("/mailchimp/3.0/batches/{}", batch["id"].as_str().unwrap());
    let mut last = json!(null);
    let mut states = Vec::new();
    for _ in 0..4 {
        last = lab.get(&path, &auth).await.1;
        states.push(last["status"].clone());
    }
    assert_eq!(
        states,
        ["preprocessing", "started", "finalizing", "finished"]
    );
    assert_eq!(last["errored_operations"], 2);
    let url = last["response_body_url"].as_str().unwrap();
    let packed = lab
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let mut tar = Vec::new();
    GzDecoder::new(packed.as_ref())
        .read_to_end(&mut tar)
        .unwrap();
    assert_eq!(tar.len() % 512, 0);
    assert_eq!(&tar[257..262], b"ustar");
    let size = std::str::from_utf8(&tar[124..135]).unwrap();
    let size = usize::from_str_radix(size, 8).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&tar[512..512 + size]).unwrap();
    assert_eq!(results[0]["status_code"], 200);
    assert_eq!(results[1]["operation_id"], "two");
    assert_eq!(results[2]["status_code"], 404, "no batches in batches");
}

#[tokio::test]
async fn sendgrid_takes_a_file() {
    let lab = Lab::new("").await;
    let begin =
        json!({"file_type": "csv", "list_ids": [], "field_mappings": ["_rf1", null, "e1_N"]});
    let request = lab.http.put(format!(
        "{}/sendgrid/v3/marketing/contacts/imports",
        lab.base
    ));
    let request = request
        .header("authorization", "Bearer SG.double")
        .body(begin.to_string());
    let (status, begun) = told(request.send().await.unwrap()).await;
    assert_eq!(status, 200, "{begun}");
    let csv = "email,x,clv\na@x.test,,12.5\nb@x.test,,much\n";
    let put = lab
        .http
        .put(begun["upload_uri"].as_str().unwrap())
        .body(csv);
    assert_eq!(put.send().await.unwrap().status().as_u16(), 200);
    let path = format!(
        "/sendgrid/v3/marketing/contacts/imports/{}",
        begun["job_id"].as_str().unwrap()
    );
    let auth = [("authorization", "Bearer SG.double")];
    assert_eq!(lab.get(&path, &auth).await.1["status"], "pending");
    let (_, done) = lab.get(&path, &auth).await;
    assert_eq!(
        (&done["status"], &done["results"]["created_count"]),
        (&json!("errored"), &json!(1))
    );
    let url = done["results"]["errors_url"].as_str().unwrap();
    let report = lab
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&report).contains("b@x.test"));
}

#[tokio::test]
async fn tokens_of_eloqua_end() {
    let lab = Lab::new("").await;
    let client = [("authorization", "Basic Y2xpZW50OnNlY3JldA==")];
    let grant = json!({"grant_type": "password", "scope": "full", "username": "Tenfold\\api",
                       "password": "double"});
    let (status, token) = lab.post("/eloqua/auth/oauth2/token", &client, &grant).await;
    assert_eq!(status, 200);
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let auth = [("authorization", bearer.as_str())];
    let lists = "/eloqua/p01/API/Bulk/2.0/contacts/lists";
    assert_eq!(lab.get(lists, &auth).await.0, 200);
    let late = json!({"advance_seconds": 9 * 3600});
    assert_eq!(lab.post("/__clock", &[], &late).await.0, 200);
    assert_eq!(lab.get(lists, &auth).await.0, 401);
    let again = json!({"grant_type": "refresh_token", "refresh_token": token["refresh_token"]});
    let (status, token) = lab.post("/eloqua/auth/oauth2/token", &client, &again).await;
    assert_eq!(status, 200);
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    assert_eq!(
        lab.get(lists, &[("authorization", bearer.as_str())])
            .await
            .0,
        200
    );
    let twice = lab.post("/eloqua/auth/oauth2/token", &client, &again).await;
    assert_eq!(twice.0, 401, "a token for a new one counts once");
}

#[tokio::test]
async fn a_callback_of_eloqua_comes_before_the_answer() {
    let lab = Lab::new("").await;
    let auth = [("authorization", "Basic VGVuZm9sZFxhcGk6ZG91Ymxl")];
    let bulk = "/eloqua/p01/API/Bulk/2.0";
    let definition = json!({"name": "n", "fields": {"e": "{{Contact.Field(C_EmailAddress)}}"},
                            "identifierFieldName": "e"});
    let (_, made) = lab
        .post(&format!("{bulk}/contacts/imports"), &auth, &definition)
        .await;
    let uri = made["uri"].as_str().unwrap();
    let rows = json!([{"e": "a@x.test"}]);
    assert_eq!(
        lab.post(&format!("{bulk}{uri}/data"), &auth, &rows).await.0,
        204
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = format!("http://{}/done", listener.local_addr().unwrap());
    let body = json!({"syncedInstanceUri": uri, "callbackUrl": callback});
    let path = format!("{bulk}/syncs");
    let sync = lab.post(&path, &auth, &body);
    let called = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = String::new();
        while !heard.contains("success") {
            let mut part = [0; 4096];
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut part)
                .await
                .unwrap();
            assert!(read > 0, "{heard}");
            heard += &String::from_utf8_lossy(&part[..read]);
        }
        // The sync has no answer yet; now it gets one.
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
            .await
            .unwrap();
        heard
    };
    let ((status, sync), heard) = tokio::join!(sync, called);
    assert_eq!((status, &sync["status"]), (201, &json!("pending")));
    assert!(heard.contains(sync["uri"].as_str().unwrap()), "{heard}");
}

//! Dashboards over real connections: who may see and change them, and what happens when two do.

use tempfile::TempDir;

use super::*;

const YAML: &str = "# Ours.\ntitle: Ours\nwidgets: []\n";

/// A project in a folder, and a server over it whose callers have these tokens.
struct Served {
    folder: TempDir,
    service: Service,
    operator: String,
    viewer: String,
}

async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tenfold.yaml"), "project: p\n").unwrap();
    serving(folder).await
}

async fn serving(folder: TempDir) -> Served {
    let (operator, first) = new_token("olga", Role::Operator).unwrap();
    let (viewer, second) = new_token("vera", Role::Viewer).unwrap();
    let access = Access::from_tokens(&[first, second].join("\n"), "tokens").unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let folders: Folders = Arc::new(move || Store::open(&place));
    Served {
        folder,
        service: Service::over(LIMITS, access, folders).await,
        operator,
        viewer,
    }
}

impl Served {
    async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Response {
        let mut request = self.service.ask(method, path).bearer_auth(token);
        if let Some(body) = body {
            let body = body.to_string();
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &self.operator, None).await
    }

    async fn put(&self, name: &str, body: Value) -> Response {
        let path = format!("/v1/dashboards/{name}");
        self.ask("PUT", &path, &self.operator, Some(body)).await
    }

    async fn kept(&self, name: &str, body: Value) -> Value {
        let answer = self.put(name, body).await;
        assert_eq!(answer.status(), 200);
        json_of(answer).await
    }

    async fn refused(&self, name: &str, body: Value) -> (u16, Value) {
        let (status, problem) = problem(self.put(name, body).await).await;
        (status.as_u16(), problem["code"].clone())
    }

    /// The row of a dashboard in the list of a caller.
    async fn listed(&self, name: &str, token: &str) -> Option<Value> {
        let list = json_of(self.ask("GET", "/v1/dashboards", token, None).await).await;
        let mut all = list["dashboards"].as_array().unwrap().iter();
        all.find(|one| one["name"] == name).cloned()
    }

    fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join("dashboards").join(name)).ok()
    }
}

#[tokio::test]
async fn a_dashboard_is_drafted_published_and_deleted() {
    let served = served().await;
    let document = json!({"title": "Ours", "description": null, "widgets": [{
        "name": "n", "title": "N", "at": {"x": 0, "y": 0, "w": 3, "h": 2},
        "sql": "SELECT 1 AS n", "mark": "number", "encode": {"value": "n"}, "describe": "One.",
    }]});
    let draft = served
        .kept(
            "ours",
            json!({"document": document, "draft": true, "base": null}),
        )
        .await;
    assert_eq!(
        (&draft["draft"], &draft["origin"]),
        (&json!(true), &json!("project"))
    );
    assert_eq!(draft["document"]["widgets"][0]["mark"], "number");
    assert!(
        served
            .file("ours.draft.yaml")
            .unwrap()
            .starts_with("title: Ours\n")
    );
    // Nobody else sees it.
    let (operator, viewer) = (&served.operator, &served.viewer);
    assert_eq!(served.listed("ours", viewer).await, None);
    let listed = served.listed("ours", operator).await.unwrap();
    assert_eq!(
        (&listed["draft"], &listed["published"]),
        (&json!(true), &json!(false))
    );
    let asked = served
        .ask("GET", "/v1/dashboards/ours?draft=true", viewer, None)
        .await;
    assert_eq!(problem(asked).await.0, 403);
    let asked = served.ask("GET", "/v1/dashboards/ours", viewer, None).await;
    let (status, unknown) = problem(asked).await;
    assert_eq!((status.as_u16(), &unknown["code"]), (404, &json!("E2222")));

    let published = served
        .kept(
            "ours",
            json!({"yaml": YAML, "draft": false, "base": draft["hash"]}),
        )
        .await;
    assert_eq!(published["yaml"], YAML);
    assert_eq!(
        (
            served.file("ours.draft.yaml"),
            served.file("ours.yaml").as_deref()
        ),
        (None, Some(YAML))
    );
    let listed = served.listed("ours", viewer).await.unwrap();
    assert_eq!(
        (&listed["title"], &listed["writable"], &listed["hash"]),
        (&json!("Ours"), &json!(false), &published["hash"])
    );
    assert_eq!(
        served.listed("ours", operator).await.unwrap()["writable"],
        true
    );
    // One that is asked for as draft, and has none.
    let again = json_of(served.get("/v1/dashboards/ours?draft=true").await).await;
    assert_eq!(again, published);

    let path = format!(
        "/v1/dashboards/ours?base={}",
        published["hash"].as_str().unwrap()
    );
    let asked = served.ask("DELETE", &path, viewer, None).await;
    assert_eq!(problem(asked).await.0, 403);
    let deleted = served.ask("DELETE", &path, operator, None).await;
    assert_eq!(deleted.status(), 200);
    assert_eq!(served.file("ours.yaml"), None);
    assert_eq!(served.get("/v1/dashboards/ours").await.status(), 404);
}

#[tokio::test]
async fn what_somebody_else_changed_is_not_written_over() {
    let served = served().await;
    let first = served
        .kept("ours", json!({"yaml": YAML, "base": null}))
        .await;
    let mine = json!({"yaml": "title: Mine\n", "base": first["hash"]});
    let second = served.kept("ours", mine.clone()).await;
    // Sent again, since the answer did not come: it is there.
    assert_eq!(served.kept("ours", mine).await["hash"], second["hash"]);
    for base in [json!(null), first["hash"].clone()] {
        let theirs = json!({"yaml": "title: Theirs\n", "base": base});
        assert_eq!(served.refused("ours", theirs).await, (409, json!("E2321")));
    }
    // An editor beside the server counts as well.
    let file = served.folder.path().join("dashboards/ours.yaml");
    std::fs::write(&file, "title: By hand\n").unwrap();
    let theirs = json!({"yaml": "title: Theirs\n", "base": second["hash"]});
    assert_eq!(served.refused("ours", theirs).await.0, 409);
    // Whoever publishes what was no draft would lose the draft.
    let there = json_of(served.get("/v1/dashboards/ours").await).await;
    let draft = json!({"yaml": "title: Draft\n", "draft": true, "base": there["hash"]});
    served.kept("ours", draft).await;
    let theirs = json!({"yaml": "title: Theirs\n", "base": there["hash"]});
    assert_eq!(served.refused("ours", theirs).await.0, 409);
    assert_eq!(served.file("ours.yaml").unwrap(), "title: By hand\n");
    let delete = format!(
        "/v1/dashboards/ours?draft=true&base={}",
        there["hash"].as_str().unwrap()
    );
    assert_eq!(
        served
            .ask("DELETE", &delete, &served.operator, None)
            .await
            .status(),
        409
    );
}

#[tokio::test]
async fn of_two_who_write_at_once_one_succeeds() {
    let served = served().await;
    let base = served.kept("ours", json!({"yaml": YAML})).await["hash"].clone();
    let write = |n: usize| {
        served.put(
            "ours",
            json!({"yaml": format!("title: T{n}\n"), "base": base}),
        )
    };
    let all = futures::future::join_all((0..8).map(write)).await;
    let mut winners = all.into_iter().filter(|answer| answer.status() == 200);
    let winner = json_of(winners.next().unwrap()).await;
    assert!(winners.next().is_none());
    assert_eq!(
        served.file("ours.yaml").unwrap(),
        winner["yaml"].as_str().unwrap()
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_not_written() {
    let served = served().await;
    for (name, body, status, code) in [
        ("ours", json!({"yaml": "title: 1\n"}), 422, "E2125"),
        ("ours", json!({"document": {"titel": "x"}}), 422, "E2125"),
        ("ours", json!({"document": []}), 422, "E2125"),
        (
            "ours",
            json!({"document": {"title": "x"}, "yaml": "title: x"}),
            422,
            "E2125",
        ),
        ("ours", json!({}), 422, "E2125"),
        (
            "ours",
            json!({"yaml": "title: x", "other": 1}),
            400,
            "E2000",
        ),
        (
            "ours",
            json!({"yaml": format!("title: {}", "x".repeat(600 << 10))}),
            422,
            "E2125",
        ),
        ("ours", json!({"yaml": "x".repeat(2 << 20)}), 400, "E2000"),
        ("Ours", json!({"yaml": YAML}), 422, "E2125"),
        ("a.draft", json!({"yaml": YAML}), 422, "E2125"),
        ("..%2Fours", json!({"yaml": YAML}), 422, "E2125"),
        (
            "%2e%2e%2f%2e%2e%2fetc%2fx",
            json!({"yaml": YAML}),
            422,
            "E2125",
        ),
        (&"x".repeat(65), json!({"yaml": YAML}), 422, "E2125"),
    ] {
        let shown = body.to_string().chars().take(60).collect::<String>();
        assert_eq!(
            served.refused(name, body).await,
            (status, json!(code)),
            "{name} {shown}"
        );
    }
    let (_, told) = problem(
        served
            .put("ours", json!({"yaml": "title: x\nmark: y\n"}))
            .await,
    )
    .await;
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("2:1: unknown key `mark`"),
        "{told}"
    );
    let body = json!({"yaml": YAML});
    let viewer = &served.viewer;
    let asked = served
        .ask("PUT", "/v1/dashboards/ours", viewer, Some(body))
        .await;
    assert_eq!(problem(asked).await.0, 403);
    let plain = served
        .service
        .ask("PUT", "/v1/dashboards/ours")
        .bearer_auth(&served.operator);
    let (status, _) = problem(plain.body("{}").send().await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(!served.folder.path().join("dashboards").exists());
}

#[tokio::test]
async fn files_are_read_anew_and_wrong_ones_are_told() {
    let served = served().await;
    let folder = served.folder.path().join("dashboards");
    std::fs::create_dir(&folder).unwrap();
    for (file, text) in [
        ("ours.yaml", YAML),
        ("wrong.yaml", "title: [1]\n"),
        ("Not-a-name.yaml", YAML),
        ("notes.txt", "x"),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    std::fs::write(folder.join("bytes.yaml"), b"title: \xff\n").unwrap();
    let ours = json_of(served.get("/v1/dashboards/ours").await).await;
    assert_eq!(ours["document"], json!({"title": "Ours", "widgets": []}));
    let wrong = served.listed("wrong", &served.viewer).await.unwrap();
    assert!(
        wrong["problem"].as_str().unwrap().contains("1:8: `title`"),
        "{wrong}"
    );
    let bytes = served.listed("bytes", &served.viewer).await.unwrap();
    assert!(
        bytes["problem"].as_str().unwrap().contains("not UTF-8"),
        "{bytes}"
    );
    let blind = json!({"yaml": YAML, "base": null});
    assert_eq!(served.refused("bytes", blind).await.0, 409);
    let (status, told) = problem(served.get("/v1/dashboards/wrong").await).await;
    assert_eq!((status.as_u16(), &told["code"]), (422, &json!("E2125")));
    std::fs::remove_file(folder.join("ours.yaml")).unwrap();
    assert_eq!(served.listed("ours", &served.viewer).await, None);
    // Another process over the same project sees the same.
    let first = served.kept("ours", json!({"yaml": YAML})).await;
    let Served {
        folder, service, ..
    } = served;
    service.stop.send(()).unwrap();
    service.served.await.unwrap();
    let again = serving(folder).await;
    let after = json_of(again.get("/v1/dashboards/ours").await).await;
    assert_eq!(after, first);
}

#[tokio::test]
async fn a_folder_that_is_no_project_or_cannot_be_written_is_left_alone() {
    let nowhere = serving(tempfile::tempdir().unwrap()).await;
    let list = json_of(nowhere.get("/v1/dashboards").await).await;
    assert_eq!(list["writable"], false);
    let refused = nowhere.refused("ours", json!({"yaml": YAML})).await;
    assert_eq!(refused, (500, json!("E5109")));
    let served = served().await;
    // A folder that is on no disk: nobody can write there, not even root.
    let nowhere = served.folder.path().join("gone");
    let folder = served.folder.path().join("dashboards");
    std::os::unix::fs::symlink(&nowhere, &folder).unwrap();
    let refused = served.refused("ours", json!({"yaml": YAML})).await;
    assert_eq!(refused, (500, json!("E5109")));
    assert!(!nowhere.exists());
}

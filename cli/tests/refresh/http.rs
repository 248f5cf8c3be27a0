//! A program that asks a server over HTTP.

use reqwest::{Client, ClientBuilder, Method};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::processes::Process;

/// A program that speaks HTTP and nothing else.
pub struct Program {
    pub runtime: Runtime,
    pub client: Client,
    pub address: String,
    pub token: String,
}

impl Program {
    /// One that asks the server of a process.
    pub fn new(server: &mut Process, token: &str) -> Self {
        Self::with(server, Client::builder(), token)
    }

    pub fn with(server: &mut Process, client: ClientBuilder, token: &str) -> Self {
        let address = address_in(&server.says("SQL over HTTP"));
        // A certificate is that of a name.
        Self::at(address.replace("0.0.0.0", "localhost"), client, token)
    }

    pub fn at(address: String, client: ClientBuilder, token: &str) -> Self {
        Self {
            runtime: Runtime::new().unwrap(),
            client: client.no_proxy().build().unwrap(),
            address,
            token: token.to_owned(),
        }
    }

    /// Status and body of an answer; `null` is no body.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            let json = request.header("content-type", "application/json");
            request = json.body(body.to_string());
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap())
        })
    }

    /// The body of an answer that is none of a failure.
    pub fn fine(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Status and code of a refusal, which names a remedy.
    pub fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let (status, answer) = self.ask(method, path, body);
        assert!(
            answer["remedy"]
                .as_str()
                .is_some_and(|remedy| !remedy.is_empty()),
            "{answer}"
        );
        (status, answer["code"].as_str().unwrap().to_owned())
    }

    /// Status and body of the answer to a query.
    pub fn sql(&self, body: &Value) -> (u16, Value) {
        self.ask("POST", "/v1/sql", body)
    }
}

/// The address in a line of a log.
pub fn address_in(line: &str) -> String {
    let after = line.split("address=").nth(1).unwrap();
    after.split(' ').next().unwrap().trim().to_owned()
}

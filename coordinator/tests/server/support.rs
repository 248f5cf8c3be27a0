//! A coordinator in this process, with a store in memory and a server on a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use sha2::{Digest, Sha256};
use tenfold_coordinator::book::Book;
use tenfold_coordinator::cluster::{Cluster, OpenProject, Projects, Settings};
use tenfold_coordinator::listing::Understanding;
use tenfold_coordinator::seams::System;
use tenfold_coordinator::serve::access::{Access, Role};
use tenfold_coordinator::serve::{Audit, HTTP_2, Listening, Tls, serve};
use tenfold_core::failure::Failure;
use tenfold_core::lease::Rules;
use tenfold_store::object::Store;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::service::Routes;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request};

/// No declarations: calls that need some are refused for that, after access was granted.
struct NoProject;

impl Projects for NoProject {
    fn open(&self) -> BoxFuture<'_, Result<OpenProject, Failure>> {
        std::future::ready(Err(Failure::config("there is no project"))).boxed()
    }

    fn understanding(&self) -> Understanding<'_> {
        Understanding {
            check: &|_, _, _| Ok(()),
            rules_out: &|_, _| Ok(false),
        }
    }
}

/// The token of a role.
pub fn token(role: Role) -> String {
    format!("a-long-secret-of-{}", role.name())
}

/// A file of tokens with one of each role.
pub fn tokens() -> String {
    let line = |role: Role| {
        let hash: String = Sha256::digest(token(role))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("the-{0} {0} {hash}\n", role.name())
    };
    Role::ALL.into_iter().map(line).collect()
}

/// A server that runs until it is stopped.
pub struct Served {
    pub address: SocketAddr,
    pub store: Store,
    pub access: watch::Sender<Arc<Access>>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Failure>>,
    running: JoinHandle<()>,
}

impl Served {
    pub async fn start(access: Access, tls: Option<Tls>) -> Self {
        let store = Store::in_memory();
        let mut book = Book::open(store.clone(), None, Arc::new(System), Arc::new(System))
            .await
            .unwrap();
        book.take_office("c", "http://c", "1").await.unwrap();
        let settings = Settings {
            coordinator: "c".to_owned(),
            address: "http://c".to_owned(),
            version: "1".to_owned(),
            project: "p".to_owned(),
            shards: None,
            rules: Rules::default(),
        };
        let cluster = Cluster::new(
            settings,
            store.clone(),
            Arc::new(NoProject),
            Arc::new(System),
            Arc::new(System),
            book,
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let access = watch::Sender::new(Arc::new(access));
        let tls = tls.map(|tls| watch::Sender::new(tls.acceptor(HTTP_2).unwrap()));
        let listening = Listening {
            listener,
            tls: tls.as_ref().map(watch::Sender::subscribe),
            access: access.subscribe(),
        };
        let audit = Audit::new(store.clone(), Arc::new(System), cluster.epoch());
        let audit = Arc::new(audit);
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move {
            let _ = stopped.await;
        };
        let beside = Routes::default();
        let serving = tokio::spawn(serve(cluster.clone(), listening, audit, beside, until));
        let running = tokio::spawn(cluster.run());
        Self {
            address,
            store,
            access,
            stop,
            serving,
            running,
        }
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.running.abort();
        self.serving.await.unwrap().unwrap();
    }

    pub fn plain(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect_lazy()
    }

    /// The audit records, as JSON.
    pub async fn records(&self) -> Vec<serde_json::Value> {
        let mut records = Vec::new();
        for meta in self.store.list("_audit").await.unwrap() {
            let path = self.store.relative(&meta.location);
            let bytes = self.store.get(&path).await.unwrap();
            records.push(serde_json::from_slice(&bytes).unwrap());
        }
        records
    }
}

/// Calls a method with an empty request; gives how that was answered.
pub async fn call(channel: &Channel, method: &str, token: Option<&str>) -> Code {
    let mut client = tonic::client::Grpc::new(channel.clone());
    if let Err(error) = client.ready().await {
        panic!("no connection: {error}");
    }
    let mut request = Request::new(futures::stream::iter([()]));
    request.set_timeout(Duration::from_secs(20));
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path: PathAndQuery = method.parse().unwrap();
    match client.streaming(request, path, codec).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

/// An authority that signs certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn sign(&self, name: &str) -> Signed {
        self.sign_with(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    pub fn sign_expired(&self, name: &str) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
        self.sign_with(params)
    }

    fn sign_with(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// What a server with this authority for both sides has.
    pub fn server(&self) -> Tls {
        let signed = self.sign("localhost");
        Tls {
            certificate: signed.certificate.into_bytes(),
            key: signed.key.into_bytes(),
            client_ca: Some(self.pem().into_bytes()),
        }
    }

    /// A channel that believes this authority, with or without a certificate of its own.
    pub fn channel(&self, address: SocketAddr, own: Option<&Signed>) -> Channel {
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(self.pem()));
        if let Some(own) = own {
            tls = tls.identity(Identity::from_pem(&own.certificate, &own.key));
        }
        Endpoint::from_shared(format!("https://{address}"))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect_lazy()
    }
}

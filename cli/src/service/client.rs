//! Connections to coordinators.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_proto::MESSAGE_MAX;
use tenfold_proto::operator_client::OperatorClient;
use tenfold_proto::worker_link_client::WorkerLinkClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// Where a coordinator is asked for unless something else is said.
pub const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7400";

/// How a coordinator is reached.
#[derive(Debug, Clone, Default, Args)]
pub struct Remote {
    /// Coordinators, the one in office and its standby: http(s)://host:port, separated by commas
    #[arg(
        long = "address",
        env = "TENFOLD_ADDR",
        value_name = "URL",
        default_value = DEFAULT_ADDRESS,
        value_delimiter = ','
    )]
    pub addresses: Vec<String>,
    /// File with the token
    #[arg(long, env = "TENFOLD_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The token
    #[arg(
        long,
        env = "TENFOLD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// Authority of the coordinator's certificate, PEM
    #[arg(long, env = "TENFOLD_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Own certificate, PEM
    #[arg(
        long,
        env = "TENFOLD_CLIENT_CERT",
        value_name = "FILE",
        requires = "client_key"
    )]
    pub client_cert: Option<PathBuf>,
    /// Key of the own certificate, PEM
    #[arg(long, env = "TENFOLD_CLIENT_KEY", value_name = "FILE")]
    pub client_key: Option<PathBuf>,
}

/// Puts the token on each call.
#[derive(Clone)]
pub struct WithToken(Option<MetadataValue<Ascii>>);

impl Interceptor for WithToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A client of the `Operator` service.
pub type Operator = OperatorClient<InterceptedService<Channel, WithToken>>;
/// A client of the `WorkerLink` service.
pub type WorkerLink = WorkerLinkClient<InterceptedService<Channel, WithToken>>;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

impl Remote {
    /// Channels to the coordinators; each connects when it is used.
    ///
    /// # Errors
    /// When an address, a token or a certificate cannot be used.
    pub fn channels(&self) -> Result<Vec<Channel>, Failure> {
        self.addresses
            .iter()
            .map(|address| Ok(self.endpoint(address)?.connect_lazy()))
            .collect()
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint, Failure> {
        let wrong = |why: &str| {
            Failure::config(format!("{address} is no address of a coordinator: {why}"))
                .code(ErrorCode::WrongLocation)
                .remedy("write it like http://127.0.0.1:7400, or https://host:7400 with TLS")
        };
        if !["http://", "https://"]
            .iter()
            .any(|scheme| address.starts_with(scheme))
        {
            return Err(wrong("it begins with neither http:// nor https://"));
        }
        let endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(|error| wrong(&error.to_string()))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .tcp_nodelay(true);
        if !address.starts_with("https://") {
            return Ok(endpoint);
        }
        let tls = self.tls()?;
        endpoint.tls_config(tls).map_err(|error| {
            Failure::config(format!("cannot use the certificates: {error}"))
                .code(ErrorCode::Certificates)
                .remedy("check --ca, --client-cert and --client-key: PEM files")
        })
    }

    /// How this process speaks TLS with others of the cluster.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let mut tls = ClientTlsConfig::new();
        if let Some(ca) = &self.ca {
            tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(tls)
    }

    /// Channels to the coordinators that put the token on each call.
    ///
    /// # Errors
    /// When an address, a token or a certificate cannot be used.
    #[cfg(feature = "ballista")]
    pub fn links(&self) -> Result<Vec<InterceptedService<Channel, WithToken>>, Failure> {
        let token = self.with_token()?;
        let link = |channel| InterceptedService::new(channel, token.clone());
        Ok(self.channels()?.into_iter().map(link).collect())
    }

    fn with_token(&self) -> Result<WithToken, Failure> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => String::from_utf8_lossy(&read(file)?).into_owned(),
            (None, None) => return Ok(WithToken(None)),
        };
        let mut value = MetadataValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| Failure::config("the token has characters that no token has"))?;
        // It is neither shown in logs nor kept in the tables of HTTP/2 header compression.
        value.set_sensitive(true);
        Ok(WithToken(Some(value)))
    }

    /// Clients of the `Operator` service, one per coordinator.
    ///
    /// # Errors
    /// When an address, a token or a certificate cannot be used.
    pub fn operators(&self) -> Result<Vec<Operator>, Failure> {
        let token = self.with_token()?;
        let client = |channel| {
            OperatorClient::with_interceptor(channel, token.clone())
                .max_decoding_message_size(MESSAGE_MAX)
                .max_encoding_message_size(MESSAGE_MAX)
        };
        Ok(self.channels()?.into_iter().map(client).collect())
    }

    /// Clients of the `WorkerLink` service, one per coordinator.
    ///
    /// # Errors
    /// When an address, a token or a certificate cannot be used.
    pub fn worker_links(&self) -> Result<Vec<WorkerLink>, Failure> {
        let token = self.with_token()?;
        let client = |channel| {
            WorkerLinkClient::with_interceptor(channel, token.clone())
                .max_decoding_message_size(MESSAGE_MAX)
                .max_encoding_message_size(MESSAGE_MAX)
        };
        Ok(self.channels()?.into_iter().map(client).collect())
    }
}

/// Reads a file that the command line names.
///
/// # Errors
/// When it cannot be read.
pub fn read(file: &std::path::Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| {
        Failure::new(
            FailureClass::UserConfig,
            format!("cannot read {}: {error}", file.display()),
        )
        .remedy("check the path, and that this user may read it")
    })
}

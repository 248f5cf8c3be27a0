//! Addresses that a process answers at.

use std::net::SocketAddr;

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tokio::net::TcpListener;

/// Listens on an address that an option of the command line gave: the listener, and the address with the port that it has.
///
/// # Errors
/// When something else listens there, or this machine does not have it.
pub async fn listen(
    address: SocketAddr,
    option: &str,
) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let message = format!("cannot listen on {address}: {error}");
        Failure::new(FailureClass::Infra, message)
            .code(ErrorCode::AddressInUse)
            .remedy(format!("stop what listens there, or give another {option}"))
    })?;
    let bound = listener.local_addr().unwrap_or(address);
    Ok((listener, bound))
}

//! Doubles of e-mail vendors on this machine, to try deliveries without an account.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tenfold_activation::doubles::{
    Doubles, ELOQUA_COMPANY, ELOQUA_PASSWORD, ELOQUA_USER, FaultFile, LISTMONK_TOKEN,
    LISTMONK_USER, MAILCHIMP_KEY, SENDGRID_KEY,
};
use tenfold_core::failure::Failure;

use super::client::read;
use super::signals::stop_requested;
use crate::machine::Machine;
use crate::output::text_to_stdout;
use crate::terminal::say;

/// What `tenfold dev-esp` is told.
#[derive(Debug, Clone, Args)]
pub struct DevEsp {
    /// Address of this machine to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7460")]
    pub listen: SocketAddr,
    /// File of what goes wrong on purpose
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// Answers as vendors do until the process is told to stop.
///
/// # Errors
/// When the file of faults is none, or the address cannot be listened on.
pub fn run(told: &DevEsp, machine: &Machine) -> Result<(), Failure> {
    let faults = match &told.faults {
        Some(file) => {
            let text = String::from_utf8_lossy(&read(file)?).into_owned();
            FaultFile::parse(&text, &file.display().to_string())?.faults
        }
        None => Vec::new(),
    };
    machine.runtime.block_on(async {
        let mut stop = stop_requested()?;
        let doubles = Doubles::bind(told.listen, faults).await?;
        let address = doubles.address();
        text_to_stdout(&destinations(address))?;
        say!("listening on http://{address}; Ctrl-C ends it, and forgets everything");
        tokio::select! {
            () = doubles.serve() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        Ok(())
    })
}

/// Files of destinations that reach the doubles.
fn destinations(address: SocketAddr) -> String {
    let base = format!("http://{address}");
    let variables = [
        ("ESP_ELOQUA", ELOQUA_PASSWORD),
        ("ESP_SENDGRID", SENDGRID_KEY),
        ("ESP_MAILCHIMP", MAILCHIMP_KEY),
        ("ESP_LISTMONK", LISTMONK_TOKEN),
    ];
    let exports = variables.map(|(name, secret)| format!("#   export {name}={secret}\n"));
    format!(
        "# The secrets of the doubles, for the shell that delivers:\n{}\
         # What they hold: curl {base}/__inspect\n\
         # Each begins with a list that is called Tenfold.\n\
         ---\n# destinations/eloqua.yaml\ndestination: eloqua\nto:\n  eloqua:\n    \
         company: {ELOQUA_COMPANY}\n    user: {ELOQUA_USER}\n    password: {{env: ESP_ELOQUA}}\n    \
         login: {base}/eloqua\n\
         ---\n# destinations/sendgrid.yaml\ndestination: sendgrid\nto:\n  sendgrid:\n    \
         key: {{env: ESP_SENDGRID}}\n    url: {base}/sendgrid\n\
         ---\n# destinations/mailchimp.yaml\ndestination: mailchimp\nto:\n  mailchimp:\n    \
         key: {{env: ESP_MAILCHIMP}}\n    url: {base}/mailchimp\n\
         ---\n# destinations/listmonk.yaml\ndestination: listmonk\nto:\n  listmonk:\n    \
         url: {base}/listmonk\n    user: {LISTMONK_USER}\n    token: {{env: ESP_LISTMONK}}\n",
        exports.concat()
    )
}

#[cfg(test)]
mod tests {
    use tenfold_core::activation::DestinationSpec;

    use super::*;

    #[test]
    fn what_is_printed_are_destinations() {
        let text = destinations("127.0.0.1:7460".parse().unwrap());
        let files = text.split("---\n").skip(1);
        let kinds: Vec<&str> = files
            .map(|file| {
                serde_saphyr::from_str::<DestinationSpec>(file)
                    .unwrap()
                    .to
                    .kind()
            })
            .collect();
        assert_eq!(kinds, ["eloqua", "sendgrid", "mailchimp", "listmonk"]);
    }
}

//! The files of a project that declare destinations and deliveries.

use tenfold_core::activation::DeclaredFile;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_store::object::Store;

/// Folders of a project with declarations of this kind, and how their files end.
const FOLDERS: [&str; 2] = ["destinations", "deliveries"];
const YAML: &str = ".yaml";

/// The files that declare destinations and deliveries, of the project in a folder or below a prefix.
///
/// # Errors
/// When they cannot be read.
pub async fn declared_files(project: &Store) -> Result<Vec<DeclaredFile>, Failure> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        for file in project.files(folder, YAML).await? {
            let bytes = project.get(&file).await?.to_vec();
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::config(format!("{} is not UTF-8", project.locate(&file)))
                    .code(ErrorCode::NoProject)
                    .remedy("write it anew as UTF-8")
            })?;
            files.push(DeclaredFile { file, text });
        }
    }
    Ok(files)
}

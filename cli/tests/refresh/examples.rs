//! The projects under `examples/`: they lint clean, and each says in its README how to run it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tenfold_core::project::{Project, expand, lint};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

fn folders() -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(EXAMPLES).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect()
}

fn read(folder: &Path) -> Project {
    let checked = lint(&fs::read_to_string(folder.join("tenfold.yaml")).unwrap());
    assert_eq!(checked.findings, [], "{}", folder.display());
    checked.project.unwrap()
}

#[test]
fn every_example_is_clean() {
    let folders = folders();
    let names: Vec<&str> = folders.keys().map(String::as_str).collect();
    assert_eq!(names, ["airline", "cdnow", "online-retail"]);
    for folder in folders.values() {
        for source in read(folder).sources.values() {
            let lookup = |name: &str| (name == "TENFOLD_DATA_DIR").then(|| "/data".to_owned());
            let path = expand(&source.path, lookup).unwrap();
            assert!(
                path.starts_with("/data/") || folder.join(&path).exists(),
                "{path}"
            );
        }
    }
}

#[test]
fn every_example_says_how_to_run_it() {
    for (name, folder) in folders() {
        let text = fs::read_to_string(folder.join("README.md")).unwrap();
        let command = format!("\ntenfold refresh -p examples/{name} --as-of ");
        assert!(text.contains(&command), "{name}");
    }
}

#[test]
fn the_airline_has_the_columns_that_it_maps() {
    let folder = Path::new(EXAMPLES).join("airline");
    let project = read(&folder);
    let source = &project.sources["activity"];
    let rows = fs::read_to_string(folder.join(&source.path)).unwrap();
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let mapped = [&source.customer, &source.time.column].into_iter();
    let mapped = mapped
        .chain(source.types.keys())
        .chain(source.dimensions.values());
    for column in mapped {
        assert!(header.contains(&column.as_str()), "{column}");
    }
    assert_eq!(rows.lines().count(), 6);
}

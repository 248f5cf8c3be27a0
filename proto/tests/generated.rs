//! The committed code is what the `.proto` files say.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::path::Path;

use prost::Message;

#[test]
fn the_generated_code_is_that_of_the_proto_files() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["tenfold/v1/operator.proto", "tenfold/v1/worker_link.proto"];
    let descriptors = protox::compile(files, [crate_root]).unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut build = tonic_prost_build::configure()
        .out_dir(out.path())
        .message_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]")
        .message_attribute(".", "#[serde(default)]")
        .btree_map(".");
    // Requests also come as JSON: a name that is misspelt is no field.
    for message in descriptors.file.iter().flat_map(|file| &file.message_type) {
        if message.name().ends_with("Request") {
            let name = format!("tenfold.v1.{}", message.name());
            build = build.message_attribute(name, "#[serde(deny_unknown_fields)]");
        }
    }
    build.compile_fds(descriptors.clone()).unwrap();
    let code = std::fs::read(out.path().join("tenfold.v1.rs")).unwrap();
    let mut code_with_head = b"//! Generated from proto/tenfold/v1.\n".to_vec();
    code_with_head.extend(code);
    same(&crate_root.join("src/generated.rs"), &code_with_head);
    same(
        &crate_root.join("src/descriptors.bin"),
        &descriptors.encode_to_vec(),
    );
}

fn same(path: &Path, wanted: &[u8]) {
    if std::env::var_os("TENFOLD_BLESS").is_some() {
        std::fs::write(path, wanted).unwrap();
    }
    let there = std::fs::read(path).unwrap_or_default();
    assert!(
        there == wanted,
        "{} is stale: run TENFOLD_BLESS=1 cargo test -p tenfold-proto",
        path.display()
    );
}

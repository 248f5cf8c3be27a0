//! Deliveries of files, night after night.

use std::fs;

use serde_json::Value;

use super::{members, project};
use crate::support::Project;

fn declare(project: &Project, mode: &str, rows: &[(i64, &str, i64)], more: &str) {
    project.write(
        "destinations/drop.yaml",
        "destination: drop\nto: {files: {path: out/, file: {rows: 2}}}\n",
    );
    let text = format!(
        "delivery: d\ndestination: drop\nfrom: {{sql: \"{}\"}}\nmode: {mode}\n\
         identity: {{columns: [name]}}\nfields: [n]\nguard: {{max_removals: 1}}\n{more}\n",
        members(rows)
    );
    project.write("deliveries/d.yaml", text);
}

/// The files of a number as its manifest names them, one after the other.
fn delivered(project: &Project, number: u64) -> String {
    project
        .tenfold(&["delivery", "run", "d", "-o", "json"])
        .json();
    let file = |name: &str| fs::read_to_string(project.path("out").join(name)).unwrap();
    assert_eq!(file(&format!("d-{number}._SUCCESS")), "");
    let manifest = file(&format!("d-{number}.manifest.json"));
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap().iter();
    let text: String = files
        .map(|one| file(one["name"].as_str().unwrap()))
        .collect();
    text.replace("\r\n", "|")
}

const FIRST: [(i64, &str, i64); 3] = [(1, "a", 1), (2, "b", 1), (3, "c", 1)];
const SECOND: [(i64, &str, i64); 3] = [(1, "a", 1), (2, "b", 2), (5, "d", 1)];

#[test]
fn full_files_hold_everybody_each_night() {
    let project = project();
    declare(&project, "file_full", &FIRST, "");
    assert_eq!(delivered(&project, 1), "name,n|a,1|b,1|name,n|c,1|");
    declare(&project, "file_full", &SECOND, "");
    assert_eq!(delivered(&project, 2), "name,n|a,1|b,2|name,n|d,1|");
    assert_eq!(delivered(&project, 3), "name,n|a,1|b,2|name,n|d,1|");
}

#[test]
fn incremental_files_tell_who_left_once_where_there_is_a_status() {
    let told = project();
    declare(&told, "file_incremental", &FIRST, "status: status");
    let first = "name,n,status|a,1,realized|b,1,realized|name,n,status|c,1,realized|";
    assert_eq!(delivered(&told, 1), first);
    declare(&told, "file_incremental", &SECOND, "status: status");
    let second = "name,n,status|b,2,realized|d,1,realized|name,n,status|c,,exited|";
    assert_eq!(delivered(&told, 2), second);
    assert_eq!(delivered(&told, 3), "");
    let untold = project();
    declare(&untold, "file_incremental", &FIRST, "");
    delivered(&untold, 1);
    declare(&untold, "file_incremental", &SECOND, "");
    assert_eq!(delivered(&untold, 2), "name,n|b,2|d,1|");
    // Who comes back is new.
    declare(&untold, "file_incremental", &FIRST, "");
    assert_eq!(delivered(&untold, 3), "name,n|b,1|c,1|");
}

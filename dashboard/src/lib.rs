//! The pages that people look at Tenfold with, and the dashboards that come with it: files of `dist/` and `boards/`
//! as they were when the program was compiled. Who serves them is no business of this crate, and Node is none of the
//! build's.

/// A file of the built pages.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Its path, which begins with `/`.
    pub path: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// Whether they are compressed by gzip.
    pub gzip: bool,
}

/// A dashboard that comes with Tenfold.
#[derive(Debug, Clone, Copy)]
pub struct Board {
    /// Its name.
    pub name: &'static str,
    /// What declares it.
    pub yaml: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The file at a path; `/` is that of the index.
pub fn page(path: &str) -> Option<&'static Page> {
    let path = if path == "/" { "/index.html" } else { path };
    PAGES.iter().find(|page| page.path == path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::path::Path;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_index_is_there_and_names_files_that_are() {
        let index = read(page("/").expect("there is an index"));
        let index = String::from_utf8(index).expect("it is text");
        let named = index.split('"').filter(|text| text.starts_with("/assets/"));
        let named: Vec<&str> = named.collect();
        assert!(!named.is_empty(), "{index}");
        for path in named {
            assert!(page(path).is_some(), "the index names {path}");
        }
        assert!(page("/assets/none.js").is_none() && page("").is_none());
    }

    #[test]
    fn compressed_copies_are_those_of_their_files() {
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
        for page in PAGES {
            let plain = fs::read(dist.join(&page.path[1..])).expect("the file is there");
            assert!(read(page) == plain, "{} is not its copy", page.path);
        }
    }

    fn read(page: &Page) -> Vec<u8> {
        let mut plain = Vec::new();
        match page.gzip {
            true => drop(GzDecoder::new(page.bytes).read_to_end(&mut plain)),
            false => plain.extend_from_slice(page.bytes),
        }
        plain
    }
}

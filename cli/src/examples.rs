//! What `--help` shows below the options: commands to copy and change.

use clap::{Command, CommandFactory};

use crate::args::Arguments;

/// Commands, and lines to try for each.
const EXAMPLES: &[(&str, &str)] = &[
    ("demo", "tenfold demo\ntenfold demo /tmp/airline --serve"),
    (
        "init",
        "tenfold init shop --from /data/purchases/\ntenfold init shop",
    ),
    (
        "lint",
        "tenfold lint -p shop\ntenfold lint -p s3://bucket/shop",
    ),
    (
        "plan",
        "tenfold plan -p shop\ntenfold plan -p shop --as-of 2026-03-01 -o json",
    ),
    (
        "refresh",
        "tenfold refresh -p shop\ntenfold refresh -p shop --as-of 2026-03-01 --memory 4GiB",
    ),
    (
        "ingest",
        "tenfold ingest -p shop --source purchases monday.csv\n\
         tenfold ingest -p shop --source purchases --replaces 3f2a corrected.parquet",
    ),
    (
        "ingest fetch",
        "tenfold ingest fetch eloqua -p shop --source responses --since 2026-11-01T00:00:00Z\n\
         tenfold ingest fetch eloqua -p shop --source responses --allow-partial",
    ),
    (
        "sql",
        "tenfold sql \"SELECT decile_clv_12m, COUNT(*) FROM customer_value GROUP BY 1\"\n\
         tenfold sql \"SELECT * FROM customer_value\" --at 3 -o parquet\n\
         tenfold sql --template value_by_decile -P measure=revenue -P lookback=12m",
    ),
    (
        "serve",
        "tenfold serve -p shop\n\
         tenfold serve --store s3://bucket/shop --sql-listen 0.0.0.0:7401 --tls-cert cert.pem \
         --tls-key key.pem --tokens tokens.txt\n\
         tenfold serve -p shop --pg-listen 127.0.0.1:5439",
    ),
    (
        "audience live",
        "tenfold audience live -p shop\ntenfold audience live at_risk -p s3://bucket/shop -o json",
    ),
    (
        "audience watch",
        "tenfold audience watch -p shop\n\
         tenfold audience watch at_risk -p s3://bucket/shop --every 60 --deliver -o jsonl",
    ),
    (
        "destination test",
        "tenfold destination test crm -p shop\ntenfold destination test crm -p s3://bucket/shop",
    ),
    (
        "delivery plan",
        "tenfold delivery plan winback -p shop\ntenfold delivery plan winback --at 12 -o json",
    ),
    (
        "delivery run",
        "tenfold delivery run winback -p shop\n\
         tenfold delivery run winback -p shop --force --allow-partial -o json",
    ),
    (
        "delivery due",
        "tenfold delivery due -p shop\ntenfold delivery due -p s3://bucket/shop -o json",
    ),
    (
        "delivery rejects",
        "tenfold delivery rejects winback -p shop\ntenfold delivery rejects winback 3 -o csv > rejects.csv",
    ),
    (
        "publish postgres",
        "tenfold publish postgres -p shop --url-file database.url\n\
         tenfold publish postgres --store s3://bucket/shop --url-file database.url --follow",
    ),
    (
        "coordinator",
        "tenfold coordinator -p shop\n\
         tenfold coordinator -p shop --listen 0.0.0.0:7400 --tls-cert cert.pem --tls-key key.pem \
         --tokens tokens.txt",
    ),
    (
        "worker",
        "tenfold worker\n\
         tenfold worker --address https://tenfold:7400 --ca ca.pem --token-file token --threads 8",
    ),
    (
        "audit ls",
        "tenfold audit ls -p shop\ntenfold audit ls --refused --store s3://bucket/shop -o json",
    ),
    (
        "audit verify",
        "tenfold audit verify -p shop\ntenfold audit verify --noted 9f86d081884c7d65…",
    ),
    ("worker ls", "tenfold worker ls\ntenfold worker ls -o json"),
    (
        "worker get",
        "tenfold worker get host-1\ntenfold worker get host-1 -o yaml",
    ),
    (
        "worker drain",
        "tenfold worker drain host-1\ntenfold worker drain host",
    ),
    (
        "worker uncordon",
        "tenfold worker uncordon host-1\ntenfold worker uncordon host",
    ),
    ("up", "tenfold up -p shop\ntenfold up -p shop --workers 4"),
    (
        "submit",
        "tenfold submit --as-of 2026-03-01 --watch\n\
         tenfold submit --idempotency-key nightly-2026-03-01 --wait --timeout 2h\n\
         tenfold submit -o name",
    ),
    (
        "run ls",
        "tenfold run ls\ntenfold run ls --state failed --limit 5\ntenfold run ls -o json",
    ),
    (
        "run get",
        "tenfold run get @latest\ntenfold run get 01K -o json",
    ),
    (
        "run describe",
        "tenfold run describe @latest\ntenfold run describe 01K",
    ),
    (
        "run watch",
        "tenfold run watch @latest\ntenfold run watch @latest --timeout 30m",
    ),
    (
        "run wait",
        "tenfold run wait @latest\ntenfold run wait @latest --timeout 2h --allow-partial",
    ),
    (
        "run logs",
        "tenfold run logs @latest --follow\ntenfold run logs @latest --level warning\n\
         tenfold run logs @latest --step fit --tail 20",
    ),
    (
        "run tasks",
        "tenfold run tasks @latest\ntenfold run tasks @latest --failed -o json",
    ),
    (
        "run cancel",
        "tenfold run cancel @latest\ntenfold run cancel @latest --reason \"wrong files\"",
    ),
    (
        "run retry",
        "tenfold run retry @latest\ntenfold run retry @latest --watch",
    ),
    (
        "cluster status",
        "tenfold cluster status\ntenfold cluster status -o json",
    ),
    ("top", "tenfold top\ntenfold top --once"),
    (
        "token new",
        "tenfold token new nightly --role operator --file tokens.txt\n\
         tenfold token new worker-1 --role worker -o json",
    ),
    ("explain", "tenfold explain E1101\ntenfold explain e3102"),
    (
        "completion",
        "tenfold completion bash\ntenfold completion zsh",
    ),
    ("man", "tenfold man\ntenfold man /usr/local/share/man/man1"),
    (
        "config view",
        "tenfold config view --show-origin\ntenfold config view -o json",
    ),
    (
        "config get-contexts",
        "tenfold config get-contexts\ntenfold config get-contexts -o name",
    ),
    (
        "config use-context",
        "tenfold config use-context prod\ntenfold config use-context test",
    ),
    (
        "config set",
        "tenfold config set --context prod address https://tenfold:7400\n\
         tenfold config set --section coordinator listen 0.0.0.0:7400\n\
         tenfold config set memory 4GiB",
    ),
];

/// The command line with its examples.
pub fn command() -> Command {
    EXAMPLES
        .iter()
        .fold(Arguments::command(), |command, (path, lines)| {
            let words: Vec<&str> = path.split(' ').collect();
            with(command, &words, lines)
        })
}

fn with(command: Command, path: &[&str], lines: &str) -> Command {
    let Some((first, rest)) = path.split_first() else {
        let indented = lines.replace('\n', "\n  ");
        return command.after_help(format!("Examples:\n  {indented}"));
    };
    command.mut_subcommand(*first, |below| with(below, rest, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a line as a shell does, as far as the examples need it.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (place, text) in line.split('"').enumerate() {
            match place % 2 {
                1 => words.push(text.to_owned()),
                _ => words.extend(text.split_whitespace().map(str::to_owned)),
            }
        }
        // What stands behind `>` is the shell's.
        let shell = words.iter().position(|word| word == ">");
        words.truncate(shell.unwrap_or(words.len()));
        words
    }

    #[test]
    fn every_example_is_a_command_of_that_name() {
        for (path, lines) in EXAMPLES {
            assert!(lines.lines().count() >= 2, "{path}: give two examples");
            for line in lines.lines() {
                let after = line.strip_prefix(&format!("tenfold {path}"));
                assert!(after.is_some(), "{line} is no example of {path}");
                let parsed = command().try_get_matches_from(words(line));
                assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
            }
        }
    }

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }
}

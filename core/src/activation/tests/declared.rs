//! Files of destinations and deliveries.

use crate::activation::{
    DeclaredFile, DeliveryMode, DeliverySpec, DestinationSpec, Identify, lint_deliveries,
};
use crate::project::{Normalize, Project, parse};

const PROJECT: &str = "
project: shop
customer: {type: int64}
sources:
  people:
    kind: attributes
    path: people/
    format: csv
    types: {customer: int64, day: date, mail: string}
    customer: customer
    time: day
    attributes: {email: mail}
    identities: {email: {attribute: email}}
  sales:
    path: sales/
    format: csv
    types: {customer: int64, day: date, amount: \"decimal(12,2)\"}
    customer: customer
    time: day
    measures: {revenue: {column: amount, currency: EUR}}
deciles: [{measure: revenue}]
";

fn project() -> Project {
    parse(PROJECT).unwrap()
}

const HOOK: &str =
    "destination: hook\nto: {webhook: {url: \"https://x.example/in\", secret: {env: K}}}\n";
const DROP: &str = "destination: drop\nto: {files: {path: out/}}\n";

fn said(files: &[(&str, &str)]) -> Vec<String> {
    let file = |(file, text): &(&str, &str)| DeclaredFile {
        file: (*file).to_owned(),
        text: (*text).to_owned(),
    };
    let files: Vec<DeclaredFile> = files.iter().map(file).collect();
    let (_, findings) = lint_deliveries(&files, &project());
    let said = |(file, finding): &(String, crate::project::Finding)| {
        finding.render(file).replace("\n  ", " => ")
    };
    findings.iter().map(said).collect()
}

#[test]
fn declarations_are_read_with_their_defaults() {
    let delivery = "delivery: winback\ndestination: hook\nfrom: {audience: winback}\nmode: mirror\n\
                    identity: {namespace: email}\nfields: [clv_12m, {field: by, constant: t}]\n";
    let files = [
        ("destinations/hook.yaml", HOOK),
        ("deliveries/winback.yaml", delivery),
    ];
    assert_eq!(said(&files), Vec::<String>::new());
    let files: Vec<DeclaredFile> = files
        .iter()
        .map(|(file, text)| DeclaredFile {
            file: (*file).to_owned(),
            text: (*text).to_owned(),
        })
        .collect();
    let (declared, _) = lint_deliveries(&files, &project());
    let winback = &declared.deliveries["winback"];
    assert_eq!(winback.mode, DeliveryMode::Mirror);
    assert_eq!(winback.guard.max_removals, 0.05);
    assert_eq!(winback.fields[0].detail().field, "clv_12m");
    assert_eq!(declared.destinations["hook"].to.kind(), "webhook");
}

#[test]
fn addresses_are_small_to_vendors_of_mail_whatever_is_declared() {
    let listmonk = "destination: news\nto: {listmonk: {url: \"https://x.example\", user: u, \
                    token: {env: K}}}\n";
    let delivery = "delivery: d\ndestination: x\nfrom: {table: t}\n\
                    identity: {columns: [mail], field: email}\n";
    let delivery: DeliverySpec = serde_saphyr::from_str(delivery).unwrap();
    for (destination, normalize) in [(listmonk, Normalize::TrimLower), (HOOK, Normalize::None)] {
        let destination: DestinationSpec = serde_saphyr::from_str(destination).unwrap();
        let identify = Identify::of(&delivery, &destination.to, &project()).unwrap();
        assert_eq!(identify.normalize, normalize);
    }
}

#[test]
fn slips_are_told_with_their_place() {
    let slips = "destination: hook\nto: {webook: {url: \"https://x\", secret: {env: K}}}\n";
    let told = said(&[("destinations/hook.yaml", slips)]);
    assert!(
        told[0].starts_with("destinations/hook.yaml:2:6: error: unknown key `webook`"),
        "{told:?}"
    );
    assert!(told[0].contains("did you mean `webhook`?"), "{told:?}");
    let other = HOOK.replace("destination: hook", "destination: hooks");
    let told = said(&[("destinations/hook.yaml", &other)]);
    assert!(told[0].contains("hook.yaml:1:14"), "{told:?}");
    assert!(
        told[0].contains("call it `hook`, or the file hooks.yaml"),
        "{told:?}"
    );
    let plain = HOOK.replace("https://", "http://");
    let told = said(&[("destinations/hook.yaml", &plain)]);
    assert!(
        told[0].contains("warning") && told[0].contains("without encryption"),
        "{told:?}"
    );
}

#[test]
fn files_have_names_of_their_own() {
    let named = |name: &str| {
        let text = format!(
            "destination: drop\nto: {{files: {{path: out/, file: {{name: \"{name}\"}}}}}}\n"
        );
        said(&[("destinations/drop.yaml", &text)])
    };
    assert_eq!(named("{audience}/{date}_{number}"), Vec::<String>::new());
    assert!(named("{delivery}")[0].contains("the same for several deliveries"));
    assert!(named("../{number}")[0].contains("no name of a file"));
    assert!(named("{nmber}{number}")[0].contains("did you mean `number`?"));
}

#[test]
fn files_of_two_deliveries_never_have_one_name() {
    let beside = |name: &str, deliveries: [(&str, &str); 2]| {
        let drop = format!(
            "destination: drop\nto: {{files: {{path: out/, file: {{name: \"{name}\"}}}}}}\n"
        );
        let [one, other] = deliveries.map(|(name, from)| {
            let text = format!(
                "delivery: {name}\ndestination: drop\nfrom: {from}\nmode: file_full\nfields: [x]\n"
            );
            (format!("deliveries/{name}.yaml"), text)
        });
        let files = [
            ("destinations/drop.yaml", drop.as_str()),
            (one.0.as_str(), one.1.as_str()),
            (other.0.as_str(), other.1.as_str()),
        ];
        said(&files).join("\n")
    };
    let (risk, best) = ("{audience: at_risk}", "{audience: best}");
    let query = "{sql: \"SELECT 1 AS customer\"}";
    for (name, deliveries) in [
        ("{audience}/{date}_{number}", [("a", risk), ("b", risk)]),
        ("{audience}/{date}_{number}", [("a", query), ("b", query)]),
        ("{time}", [("a", risk), ("b", best)]),
        // Number 1 of the one, in two files, and number 2 of the other.
        ("{delivery}_{number}", [("d", risk), ("d_1", best)]),
        ("{delivery}{number}", [("d", risk), ("d1", best)]),
        ("{number}-{delivery}", [("d", risk), ("d_2", best)]),
    ] {
        let said = beside(name, deliveries);
        let [(first, _), (second, _)] = deliveries;
        assert!(
            said.starts_with(&format!("deliveries/{second}.yaml:2:14: error")),
            "{said}"
        );
        assert!(
            said.contains(&format!("the names of files of `{first}`")),
            "{said}"
        );
    }
    for (name, deliveries) in [
        ("{audience}/{date}_{number}", [("a", risk), ("b", best)]),
        ("{delivery}-{number}", [("d", query), ("d_1", query)]),
        ("{delivery}-{number}", [("d1", query), ("d2", query)]),
        ("{date}/{delivery}.{number}", [("d", risk), ("d_1", best)]),
        ("{delivery}_{number}", [("winback", risk), ("best", best)]),
        ("{delivery}_{number}", [("wave_1", risk), ("wave_2", risk)]),
    ] {
        assert_eq!(beside(name, deliveries), "", "{name}");
    }
}

#[test]
fn what_becomes_a_name_or_an_argument_is_checked() {
    let from = |audience: &str| {
        let text = format!(
            "delivery: d\ndestination: drop\nfrom: {{audience: {audience}}}\nmode: file_full\nfields: [x]\n"
        );
        let files = [
            ("destinations/drop.yaml", DROP),
            ("deliveries/d.yaml", text.as_str()),
        ];
        said(&files).join("\n")
    };
    assert_eq!(from("at_risk"), "");
    assert!(from("../../elsewhere").contains("no name of an audience"));
    assert!(from("\"a\\n!date\"").contains("no name of an audience"));
    let server = |host: &str, user: &str, path: &str| {
        let text = format!(
            "destination: drop\nto:\n  sftp:\n    host: \"{host}\"\n    user: \"{user}\"\n    path: \"{path}\"\n    \
             login: {{key: {{file: k}}}}\n    host_key: ssh-ed25519 AAAA\n"
        );
        said(&[("destinations/drop.yaml", &text)]).join("\n")
    };
    assert_eq!(server("files.example", "me", "/in"), "");
    for host in ["-oProxyCommand=date", "a b", ""] {
        assert!(
            server(host, "me", "/in").contains("`to.sftp.host`"),
            "{host}"
        );
    }
    assert!(server("files.example", "-l", "/in").contains("`to.sftp.user`"));
    assert!(server("files.example", "me", "").contains("`to.sftp.path` is empty"));
    assert!(server("files.example", "me", "/in\\n!date").contains("control characters"));
}

#[test]
fn what_does_not_go_together_is_told() {
    let with = |more: &str| {
        let text = format!("delivery: d\nfrom: {{table: customer_value}}\nfields: [x]\n{more}");
        let files = [
            ("destinations/hook.yaml", HOOK),
            ("destinations/drop.yaml", DROP),
            ("deliveries/d.yaml", text.as_str()),
        ];
        said(&files).join("\n")
    };
    assert!(with("destination: hok").contains("did you mean `hook`?"));
    let files = with("destination: drop\nmode: mirror");
    assert!(
        files.contains("takes files, but the mode is `mirror`"),
        "{files}"
    );
    assert!(with("destination: drop").contains("but the mode is `upsert`"));
    let rows = with("destination: hook\nmode: file_full");
    assert!(
        rows.contains("takes rows, but the mode is `file_full`"),
        "{rows}"
    );
    let status = with("destination: hook\nstatus: s");
    assert!(status.contains("incremental files alone"), "{status}");
    let identity = with("destination: hook\nidentity: {namespace: emial}");
    assert!(identity.contains("did you mean `email`?"), "{identity}");
    let two = with("destination: hook\nidentity: {columns: [a, b]}");
    assert!(two.contains("for files alone"), "{two}");
    assert!(with("destination: hook\nresponses: mails").contains("there is no source `mails`"));
    let neither = with("destination: hook\n").replace("fields", "");
    assert_eq!(neither, "");
}

#[test]
fn fields_are_checked() {
    let with = |fields: &str| {
        let text = format!(
            "delivery: d\ndestination: hook\nfrom: {{sql: \"SELECT 1 AS customer\"}}\nfields: {fields}\n"
        );
        let files = [
            ("destinations/hook.yaml", HOOK),
            ("deliveries/d.yaml", text.as_str()),
        ];
        said(&files).join("\n")
    };
    assert!(with("[a, {field: a, constant: x}]").contains("there twice"));
    assert!(with("[{field: a}]").contains("either a column or a constant"));
    assert!(with("[{field: a, column: b, format: \"%!\"}]").contains("strftime"));
    assert!(with("[{field: a, colum: b}]").contains("did you mean `column`?"));
    assert_eq!(with("[{field: a, column: b, format: \"%d.%m.%Y\"}]"), "");
}

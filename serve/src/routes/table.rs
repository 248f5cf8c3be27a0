//! All that can be asked.

use tenfold_core::intake::Sender;

use super::{Endpoint, Route};
use crate::calls::Call;
use crate::dashboards;
use crate::deliveries;
use crate::ingest::Verb;

const fn call(
    method: &'static str,
    path: &'static str,
    call: Call,
    part: &'static str,
    what: &'static str,
) -> Route {
    Route {
        method,
        path,
        endpoint: Endpoint::Call(call, part),
        what,
        query: &[],
    }
}

const fn messages(path: &'static str, many: bool, what: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        endpoint: Endpoint::Messages { many },
        what,
        query: &["validate"],
    }
}

const fn mail(path: &'static str, sender: Sender, what: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        endpoint: Endpoint::Mail(sender),
        what,
        query: &["key"],
    }
}

const fn get(path: &'static str, endpoint: Endpoint, what: &'static str) -> Route {
    Route {
        method: "GET",
        path,
        endpoint,
        what,
        query: &[],
    }
}

const fn dashboard(
    method: &'static str,
    path: &'static str,
    verb: dashboards::Verb,
    what: &'static str,
) -> Route {
    Route {
        method,
        path,
        endpoint: Endpoint::Dashboard(verb),
        what,
        query: &[],
    }
}

const fn delivery(
    method: &'static str,
    path: &'static str,
    verb: deliveries::Verb,
    query: &'static [&'static str],
    what: &'static str,
) -> Route {
    Route {
        method,
        path,
        endpoint: Endpoint::Delivery(verb),
        what,
        query,
    }
}

const fn ingest(method: &'static str, path: &'static str, verb: Verb, what: &'static str) -> Route {
    Route {
        method,
        path,
        endpoint: Endpoint::Ingest(verb),
        what,
        query: &[],
    }
}

/// All that can be asked.
pub const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/sql",
        endpoint: Endpoint::Sql,
        what: "Answers one query over one snapshot",
        query: &[],
    },
    get(
        "/metrics",
        Endpoint::Metrics,
        "Tells Prometheus what was counted",
    ),
    get(
        "/v1/templates",
        Endpoint::Templates,
        "Lists the templates with their parameters",
    ),
    Route {
        method: "POST",
        path: "/v1/templates/{name}",
        endpoint: Endpoint::Template,
        what: "Answers a template over one snapshot",
        query: &[],
    },
    Route {
        query: &["at"],
        ..get(
            "/v1/audiences",
            Endpoint::Audiences,
            "Lists the audiences of a snapshot with their numbers",
        )
    },
    Route {
        query: &["at"],
        ..get(
            "/v1/audiences/{name}",
            Endpoint::Audience,
            "Shows an audience of a snapshot: its rule, its members by decile",
        )
    },
    Route {
        query: &["at"],
        ..get(
            "/v1/audiences:names",
            Endpoint::AudienceNames,
            "Lists what rules over a snapshot may name",
        )
    },
    get(
        "/v1/audiences/{name}/file",
        Endpoint::AudienceFile,
        "Shows the file that declares an audience, as the project has it now",
    ),
    Route {
        method: "PUT",
        path: "/v1/audiences/{name}",
        endpoint: Endpoint::PutAudience,
        what: "Keeps the file of an audience in the project; the next refresh finds its members",
        query: &[],
    },
    Route {
        method: "POST",
        path: "/v1/audiences:count",
        endpoint: Endpoint::CountAudience,
        what: "Counts whom a rule chooses from a snapshot, and shows some of them",
        query: &[],
    },
    get(
        "/v1/queries",
        Endpoint::Queries,
        "Lists the queries that run, wait or have ended lately: a viewer's own, an operator's all",
    ),
    get("/v1/queries/{id}", Endpoint::Query, "Shows a query"),
    Route {
        method: "DELETE",
        path: "/v1/queries/{id}",
        endpoint: Endpoint::Stop,
        what: "Stops a query; one that has ended stays as it ended",
        query: &[],
    },
    get(
        "/v1/snapshots",
        Endpoint::Snapshots,
        "Lists the snapshots that can be read, the newest first",
    ),
    Route {
        query: &["at"],
        ..get(
            "/v1/tables",
            Endpoint::Tables,
            "Lists the tables of a snapshot with their columns",
        )
    },
    Route {
        query: &["at"],
        ..get(
            "/v1/campaigns",
            Endpoint::Campaigns,
            "Lists the campaigns of a snapshot",
        )
    },
    Route {
        query: &["at"],
        ..get(
            "/v1/campaigns/{campaign}",
            Endpoint::Campaign,
            "Shows a campaign",
        )
    },
    Route {
        query: &["at", "by"],
        ..get(
            "/v1/campaigns/{campaign}/report",
            Endpoint::CampaignReport,
            "Says what a campaign came to, by audience, decile or holdout",
        )
    },
    dashboard(
        "GET",
        "/v1/dashboards",
        dashboards::Verb::Ls,
        "Lists the dashboards of the project and those that come with Tenfold",
    ),
    Route {
        query: &["draft"],
        ..dashboard(
            "GET",
            "/v1/dashboards/{name}",
            dashboards::Verb::Get,
            "Shows a dashboard; with draft=true what is worked on, where there is such",
        )
    },
    dashboard(
        "PUT",
        "/v1/dashboards/{name}",
        dashboards::Verb::Put,
        "Keeps a dashboard in the project, as draft or for everybody",
    ),
    Route {
        query: &["draft", "base"],
        ..dashboard(
            "DELETE",
            "/v1/dashboards/{name}",
            dashboards::Verb::Delete,
            "Deletes a dashboard of the project, or its draft",
        )
    },
    delivery(
        "GET",
        "/v1/deliveries",
        deliveries::Verb::Ls,
        &["limit"],
        "Lists the deliveries of the project with their newest numbers",
    ),
    delivery(
        "GET",
        "/v1/deliveries/{name}",
        deliveries::Verb::Get,
        &["limit", "before"],
        "Shows a delivery with its numbers, the newest first",
    ),
    delivery(
        "POST",
        "/v1/deliveries/{name}/plan",
        deliveries::Verb::Plan,
        &[],
        "Says what the next number would send, with masked samples, and sends nothing",
    ),
    delivery(
        "GET",
        "/v1/deliveries/{name}/rows",
        deliveries::Verb::Rows,
        &["number", "state", "from", "limit"],
        "Says what became of rows of a number, masked",
    ),
    get(
        "/v1/run-records",
        Endpoint::Records,
        "Lists the latest runs that have ended, as the store keeps them, the newest first",
    ),
    call(
        "POST",
        "/v1/runs",
        Call::SubmitRun,
        "",
        "Asks for a refresh",
    ),
    Route {
        query: &["states", "schedule", "limit", "since"],
        ..call(
            "GET",
            "/v1/runs",
            Call::ListRuns,
            "",
            "Lists runs, the newest first",
        )
    },
    call(
        "POST",
        "/v1/plan",
        Call::Plan,
        "",
        "Says what a refresh would read, reuse and write",
    ),
    call(
        "GET",
        "/v1/runs/{run}",
        Call::GetRun,
        "run",
        "Shows a run; @latest is the newest",
    ),
    call(
        "GET",
        "/v1/runs/{run}/events",
        Call::RunEvents,
        "run",
        "Lists what happened to a run so far",
    ),
    Route {
        query: &["failed_only"],
        ..call(
            "GET",
            "/v1/runs/{run}/tasks",
            Call::ListTasks,
            "run",
            "Lists the tasks of a run with their attempts",
        )
    },
    call(
        "POST",
        "/v1/runs/{run}/cancel",
        Call::CancelRun,
        "run",
        "Cancels a run",
    ),
    call(
        "POST",
        "/v1/runs/{run}/retry",
        Call::RetryRun,
        "run",
        "Tries a failed run again in place",
    ),
    call(
        "POST",
        "/v1/schedules",
        Call::ApplySchedule,
        "",
        "Makes a schedule or changes it",
    ),
    call(
        "GET",
        "/v1/schedules",
        Call::ListSchedules,
        "",
        "Lists the schedules",
    ),
    call(
        "POST",
        "/v1/schedule-previews",
        Call::PreviewSchedule,
        "",
        "Says when a schedule will fire, applied or not",
    ),
    call(
        "GET",
        "/v1/schedules/{schedule}",
        Call::GetSchedule,
        "schedule",
        "Shows a schedule",
    ),
    call(
        "DELETE",
        "/v1/schedules/{schedule}",
        Call::DeleteSchedule,
        "schedule",
        "Deletes a schedule; its runs stay",
    ),
    Route {
        query: &["limit"],
        ..call(
            "GET",
            "/v1/schedules/{schedule}/runs",
            Call::ScheduleHistory,
            "schedule",
            "Lists the runs of a schedule, the newest first",
        )
    },
    call(
        "POST",
        "/v1/schedules/{schedule}/pause",
        Call::PauseSchedule,
        "schedule",
        "Pauses a schedule",
    ),
    call(
        "POST",
        "/v1/schedules/{schedule}/resume",
        Call::ResumeSchedule,
        "schedule",
        "Lets a schedule go on",
    ),
    call(
        "POST",
        "/v1/schedules/{schedule}/trigger",
        Call::TriggerSchedule,
        "schedule",
        "Asks for a run of a schedule now",
    ),
    call(
        "POST",
        "/v1/backfill-plans",
        Call::PlanBackfill,
        "",
        "Says which days a backfill would make",
    ),
    call(
        "POST",
        "/v1/backfills",
        Call::CreateBackfill,
        "",
        "Makes snapshots of earlier days",
    ),
    call(
        "GET",
        "/v1/backfills",
        Call::ListBackfills,
        "",
        "Lists the backfills, the newest first",
    ),
    call(
        "GET",
        "/v1/backfills/{backfill}",
        Call::GetBackfill,
        "backfill",
        "Shows a backfill",
    ),
    call(
        "POST",
        "/v1/backfills/{backfill}/cancel",
        Call::CancelBackfill,
        "backfill",
        "Makes no further days",
    ),
    call(
        "GET",
        "/v1/workers",
        Call::ListWorkers,
        "",
        "Lists the workers",
    ),
    call(
        "POST",
        "/v1/workers/{worker}/drain",
        Call::DrainWorker,
        "worker",
        "Gives a worker no new tasks",
    ),
    call(
        "POST",
        "/v1/workers/{worker}/uncordon",
        Call::UncordonWorker,
        "worker",
        "Gives a worker tasks again",
    ),
    call(
        "GET",
        "/v1/cluster",
        Call::ClusterStatus,
        "",
        "Shows the coordinator in office and what it has to do",
    ),
    ingest(
        "GET",
        "/v1/ingest/{source}/batches",
        Verb::Ls,
        "Lists the batches of files that were sent to a source, the newest first",
    ),
    ingest(
        "POST",
        "/v1/ingest/{source}/batches",
        Verb::Open,
        "Opens a batch, which may replace others",
    ),
    ingest(
        "GET",
        "/v1/ingest/{source}/batches/{batch}",
        Verb::Get,
        "Shows a batch, with what is missing of its files; @latest is the newest",
    ),
    Route {
        query: &["format"],
        ..ingest(
            "PUT",
            "/v1/ingest/{source}/batches/{batch}/files/{file}",
            Verb::Put,
            "Sends a file to a batch",
        )
    },
    ingest(
        "PATCH",
        "/v1/ingest/{source}/batches/{batch}/files/{file}",
        Verb::Piece,
        "Sends a part of a file, which Content-Range names",
    ),
    Route {
        query: &["format"],
        ..ingest(
            "POST",
            "/v1/ingest/{source}/batches/{batch}/files/{file}/complete",
            Verb::Finish,
            "Takes a file in whose parts have come",
        )
    },
    ingest(
        "POST",
        "/v1/ingest/{source}/batches/{batch}/complete",
        Verb::Complete,
        "Checks the files of a batch and makes its rows visible; 202 while they are checked",
    ),
    ingest(
        "POST",
        "/v1/ingest/{source}/batches/{batch}/abort",
        Verb::Abort,
        "Gives up a batch that is not complete",
    ),
    ingest(
        "POST",
        "/v1/ingest/{source}/batches/{batch}/revert",
        Verb::Revert,
        "Takes the rows of a batch back",
    ),
    ingest(
        "GET",
        "/v1/ingest/{source}/batches/{batch}/errors",
        Verb::Errors,
        "Gives the refused rows of a batch, as JSON lines",
    ),
    messages(
        "/v1/ingest/{source}/events",
        false,
        "Takes a message of a source; it lasts once this is answered",
    ),
    messages(
        "/v1/ingest/{source}/events:batch",
        true,
        "Takes messages of a source, and answers for each of them",
    ),
    mail(
        "/v1/intake/sendgrid/{source}",
        Sender::Sendgrid,
        "Takes what SendGrid's event webhook tells",
    ),
    mail(
        "/v1/intake/mailchimp/{source}",
        Sender::Mailchimp,
        "Takes what Mailchimp's webhooks tell",
    ),
    mail(
        "/v1/intake/listmonk/{source}",
        Sender::Listmonk,
        "Takes bounces as listmonk does",
    ),
    mail(
        "/v1/intake/eloqua/{source}",
        Sender::Eloqua,
        "Takes activities as Oracle Eloqua exports them",
    ),
    mail(
        "/v1/intake/generic/{source}",
        Sender::Generic,
        "Takes rows of responses",
    ),
    Route {
        query: &["key"],
        ..get(
            "/v1/intake/mailchimp/{source}",
            Endpoint::MailAddress(Sender::Mailchimp),
            "Tells Mailchimp that the address is right",
        )
    },
    get(
        "/v1/errors/{code}",
        Endpoint::Error,
        "Explains an error code, as Markdown",
    ),
    get("/v1/openapi.json", Endpoint::OpenApi, "Describes all this"),
    get("/v1/docs", Endpoint::Docs, "Describes all this for people"),
    get(
        "/healthz",
        Endpoint::Health,
        "Says that the process answers; needs no token",
    ),
];

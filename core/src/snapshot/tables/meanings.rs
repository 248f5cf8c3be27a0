//! What the tables of a snapshot mean, in words: every table, key, reference and column.

use super::{
    ColumnMeaning, DIM_CAMPAIGN, DIM_CUSTOMER, DIM_DESTINATION, FACT_CAMPAIGN, FACT_EMAIL_EVENT,
    Reference, TableMeaning,
};
use crate::audience::{AUDIENCE_CHANGE, AUDIENCE_MEMBER, DIM_AUDIENCE, FACT_AUDIENCE};

const fn column(name: &'static str, about: &'static str) -> ColumnMeaning {
    ColumnMeaning { name, about }
}

const fn to_date(column: &'static str) -> Reference {
    Reference {
        column,
        table: "dim_date",
        key: "date",
    }
}

const TO_CUSTOMER: Reference = Reference {
    column: "customer",
    table: "customer_value",
    key: "customer",
};

const TO_CAMPAIGN: Reference = Reference {
    column: "campaign",
    table: DIM_CAMPAIGN,
    key: "campaign",
};

const TO_DESTINATION: Reference = Reference {
    column: "destination",
    table: DIM_DESTINATION,
    key: "destination",
};

const TO_AUDIENCE: Reference = Reference {
    column: "audience",
    table: DIM_AUDIENCE,
    key: "audience",
};

const AUDIENCE: ColumnMeaning = column("audience", "name of the audience");
const SNAPSHOT_DATE: ColumnMeaning = column("snapshot_date", "`as_of` of the snapshot");
const PREVIOUS_DATE: ColumnMeaning = column(
    "previous_date",
    "`as_of` of its parent; NULL in a first snapshot and in a backfill",
);
const MEASURE: ColumnMeaning = column(
    "measure",
    "name of the decile, such as `revenue`, `revenue_by_region` or `clv_12m`",
);
const LOOKBACK: ColumnMeaning = column(
    "lookback",
    "look-back, such as `12m` or `lifetime`; for CLV the horizon",
);
const DIMENSION: ColumnMeaning = column(
    "dimension",
    "dimension that the decile is partitioned by; NULL for none",
);
const DIMENSION_VALUE: ColumnMeaning = column(
    "dimension_value",
    "value of the dimension; `(none)` stands for events without one, NULL for no dimension",
);
const TILES: ColumnMeaning = column("tiles", "number of tiles: 10 for deciles");

/// All tables that a snapshot of this version may have.
pub const TABLES: &[TableMeaning] = &[
    TableMeaning {
        name: "customer_value",
        about: "What is known of each customer and expected from them.",
        grain: "customer with an event before `as_of`",
        key: &["customer"],
        null_in_key: false,
        references: &[to_date("first_purchase"), to_date("last_purchase")],
        columns: &[
            column("customer", "key of the customer, as in the events"),
            column(
                "first_purchase",
                "day of the first purchase; NULL without one",
            ),
            column("last_purchase", "day of the last purchase"),
            column("frequency", "purchase days after the first (x)"),
            column(
                "recency_days",
                "days from the first purchase to the last (t_x)",
            ),
            column(
                "age_days",
                "days from the first purchase to the last observed day (T)",
            ),
            column("days_since_last_purchase", "`age_days` less `recency_days`"),
            column("purchase_days", "days with a purchase"),
            column("monetary_value", "mean spend of a repeat purchase day"),
            column(
                "revenue_lifetime",
                "sum of the value over all events, refunds taken off",
            ),
            column(
                "total_value_<horizon>",
                "`revenue_lifetime` and the CLV of the horizon",
            ),
            column("p_alive", "probability that the customer is still one"),
            column(
                "expected_purchases_<horizon>",
                "purchase days expected within the horizon",
            ),
            column("expected_spend", "spend expected of a purchase day"),
            column(
                "clv_<horizon>",
                "value expected within the horizon, discounted",
            ),
            column(
                "dert",
                "discounted expected residual transactions, without a horizon",
            ),
            column("events", "events before `as_of`"),
            column(
                "decile_<name>",
                "decile of the value of that name; 1 is the highest, NULL without a rank",
            ),
            column(
                "<measure>_<lookback>",
                "sum of the measure over the look-back; by value of the dimension where there is one",
            ),
        ],
        notes: "A decile by a dimension is a map from the values of the dimension; `customer_decile` \
                has the same as rows.",
    },
    TableMeaning {
        name: "customer_decile",
        about: "The deciles by a dimension of each customer, as rows.",
        grain: "customer, decile by a dimension, look-back, value of the dimension",
        key: &["customer", "measure", "lookback", "dimension_value"],
        null_in_key: false,
        references: &[TO_CUSTOMER],
        columns: &[
            column("customer", "key of the customer"),
            MEASURE,
            LOOKBACK,
            DIMENSION_VALUE,
            column("total", "the value that was ranked"),
            column("decile", "the tile; 1 is the highest"),
        ],
        notes: "",
    },
    TableMeaning {
        name: DIM_CUSTOMER,
        about: "What customers are like, and were: where a source of attributes is declared.",
        grain: "customer with attributes, day from which they were different",
        key: &["customer", "valid_from"],
        null_in_key: false,
        references: &[],
        columns: &[
            column("customer", "key of the customer"),
            column(
                "valid_from",
                "first day on which the customer was like this",
            ),
            column(
                "valid_to",
                "day on which the next row of the customer begins; NULL in the last one",
            ),
            column("is_current", "whether this is the last row of the customer"),
            column("<attribute>", "an attribute, as the source declares it"),
        ],
        notes: "Rows that begin before `as_of` alone. Customers with attributes need have no events, and the \
                other way round: join by `customer` and `is_current`, or by `customer` and a day from \
                `valid_from` until before `valid_to`.",
    },
    TableMeaning {
        name: FACT_EMAIL_EVENT,
        about: "What became of what was sent to customers: where a source of responses is declared.",
        grain: "response",
        key: &["source", "event_id"],
        null_in_key: false,
        references: &[TO_CAMPAIGN, TO_DESTINATION],
        columns: &[
            column("source", "source of the row"),
            column("event_id", "id of the event in its source"),
            column("customer", "key of the customer"),
            column("time", "when it happened"),
            column("day", "its day in the time zone of the project"),
            column(
                "type",
                "`sent`, `held_out`, `delivered`, `open`, `click`, `bounce`, `unsubscribe` or `complaint`",
            ),
            column("campaign", "the campaign"),
            column("delivery", "the delivery, of the row itself or of the send"),
            column("audience", "audience of the customer at the send"),
            column(
                "holdout",
                "group of the customer at the send: `treated` or `control`",
            ),
            column("decile", "decile of the customer at the send"),
            column("snapshot", "snapshot that the send was made of"),
            column("sent_at", "when the send was; NULL without one"),
            column(
                "destination",
                "where it was sent to, of the row itself or of the send",
            ),
            column("message", "the message, as its sender names it"),
            column(
                "machine",
                "whether a machine did it; false where nothing is said",
            ),
            column("url", "the link that was followed"),
        ],
        notes: "All responses that are known, those of `as_of` and later too. The send is the latest row of \
                the customer and the campaign with type `sent` or `held_out` at or before the event, of the \
                same delivery where the row names one that there is: it says what audience, group, decile and \
                snapshot were then.",
    },
    TableMeaning {
        name: FACT_CAMPAIGN,
        about: "What campaigns came to.",
        grain: "campaign, audience, decile and group at the send",
        key: &["campaign", "audience", "decile", "holdout"],
        null_in_key: true,
        references: &[TO_CAMPAIGN],
        columns: &[
            column("campaign", "the campaign"),
            column("audience", "the audience"),
            column("decile", "the decile"),
            column("holdout", "the group: `treated` or `control`"),
            column("customers", "customers whose first send it is"),
            column("sent", "sends"),
            column("held_out", "rows that say somebody was held out"),
            column("delivered", "mails that arrived"),
            column("bounces", "mails that did not"),
            column("opens", "opens by people"),
            column("machine_opens", "opens by machines"),
            column("openers", "`customers` with an open by people, of any send"),
            column("clicks", "clicks by people"),
            column("machine_clicks", "clicks by machines"),
            column(
                "clickers",
                "`customers` with a click by people, of any send",
            ),
            column("unsubscribes", "events of customers who want no more"),
            column("complaints", "events of customers who call it spam"),
            column(
                "purchasers",
                "`customers` with a purchase within `campaigns.window_days` from the day of their first send on",
            ),
            column("revenue", "what all `customers` spent within that window"),
            column(
                "revenue_squares",
                "sum of the squares of what each of them spent, for intervals",
            ),
        ],
        notes: "Events count with the send that they answer. Customers count once for a campaign, with their \
                first send, so those of several rows add up. A customer without a send counts with their first \
                event, and among `openers` and `clickers` alone. The last three columns are there where a `clv` \
                is declared, and know purchases before `as_of` alone.",
    },
    TableMeaning {
        name: DIM_CAMPAIGN,
        about: "When campaigns were.",
        grain: "campaign",
        key: &["campaign"],
        null_in_key: false,
        references: &[],
        columns: &[
            column("campaign", "the campaign"),
            column("first_sent", "the first send; NULL without one"),
            column("last_sent", "the last send"),
            column("last_event", "the last event of any type"),
            column("deliveries", "how many deliveries it had"),
            column("window_days", "days for which purchases count"),
            column(
                "window_ends",
                "last day of the window of the customer who was first sent to last; NULL without sends",
            ),
            column("is_complete", "whether that day is before `as_of`"),
        ],
        notes: "",
    },
    TableMeaning {
        name: DIM_DESTINATION,
        about: "Destinations that responses name.",
        grain: "destination",
        key: &["destination"],
        null_in_key: false,
        references: &[],
        columns: &[
            column("destination", "name of the destination"),
            column("first_sent", "the first send to it; NULL without one"),
            column("last_sent", "the last send"),
            column("last_event", "the last event of any type"),
            column("deliveries", "how many deliveries it had"),
        ],
        notes: "There where a source of responses is declared.",
    },
    TableMeaning {
        name: AUDIENCE_MEMBER,
        about: "Who is in which audience.",
        grain: "audience, customer who is in it",
        key: &["audience", "customer"],
        null_in_key: false,
        references: &[TO_AUDIENCE],
        columns: &[
            AUDIENCE,
            column("customer", "key of the customer"),
            column(
                "holdout",
                "`control` for those who are kept back, `treated` for all others",
            ),
            column(
                "priority",
                "that of the audience: where somebody is in several, the smallest goes first",
            ),
        ],
        notes: "There where [audiences](../audiences.md) are declared, as all tables of this name. Outside the \
                snapshot hash where a rule asks for `decile_moved`.",
    },
    TableMeaning {
        name: AUDIENCE_CHANGE,
        about: "Who came into an audience or went out of it, and when that was last.",
        grain: "audience, customer who is or was in it",
        key: &["audience", "customer"],
        null_in_key: false,
        references: &[],
        columns: &[
            AUDIENCE,
            column("customer", "key of the customer"),
            column("status", "`realized` while in it, `exited` since"),
            column(
                "since",
                "`as_of` of the snapshot in which the status became this",
            ),
        ],
        notes: "Outside the snapshot hash: it goes on from the snapshot before, and begins with the first one that \
                has audiences.",
    },
    TableMeaning {
        name: DIM_AUDIENCE,
        about: "The audiences that are declared.",
        grain: "audience",
        key: &["audience"],
        null_in_key: false,
        references: &[],
        columns: &[
            AUDIENCE,
            column("description", "who they are"),
            column("rule", "the rule in its text form"),
            column("consent", "attribute that has to be true; NULL for none"),
            column("holdout_fraction", "share that is kept back; 0 for nobody"),
            column(
                "stratify_by",
                "column of tiles of which each is divided by itself; NULL for none",
            ),
            column("priority", "the smallest goes first"),
        ],
        notes: "",
    },
    TableMeaning {
        name: FACT_AUDIENCE,
        about: "How many each audience had, snapshot by snapshot.",
        grain: "audience, `as_of` of a snapshot",
        key: &["audience", "snapshot_date"],
        null_in_key: false,
        references: &[],
        columns: &[
            AUDIENCE,
            SNAPSHOT_DATE,
            column("customers", "customers that there were"),
            column("members", "how many of them were in it"),
            column("control", "how many of the members were kept back"),
            column("share", "`members` by `customers`"),
            column("entered", "how many came since the snapshot before"),
            column("exited", "how many went since the snapshot before"),
        ],
        notes: "Keeps the rows of earlier snapshots; of several snapshots of one day the last. Where there is no \
                snapshot with audiences before, everybody entered. Outside the snapshot hash.",
    },
    TableMeaning {
        name: "fact_value_by_decile",
        about: "How many customers and how much value each tile has.",
        grain: "decile, look-back, value of the dimension, tile",
        key: &["measure", "lookback", "dimension_value", "decile"],
        null_in_key: true,
        references: &[to_date("snapshot_date")],
        columns: &[
            SNAPSHOT_DATE,
            MEASURE,
            LOOKBACK,
            DIMENSION,
            DIMENSION_VALUE,
            TILES,
            column("decile", "the tile; 1 is the highest"),
            column("customers", "how many"),
            column("total", "sum of their values"),
            column("min", "least of their values"),
            column("max", "greatest of their values"),
            column("mean", "`total` by `customers`"),
        ],
        notes: "",
    },
    TableMeaning {
        name: "fact_decile_migration",
        about: "Who went from which tile to which since the parent snapshot, or stayed.",
        grain: "decile, look-back, value of the dimension, tile before, tile now",
        key: &[
            "measure",
            "lookback",
            "dimension_value",
            "from_decile",
            "to_decile",
        ],
        null_in_key: true,
        references: &[to_date("snapshot_date"), to_date("previous_date")],
        columns: &[
            SNAPSHOT_DATE,
            PREVIOUS_DATE,
            MEASURE,
            LOOKBACK,
            DIMENSION,
            DIMENSION_VALUE,
            TILES,
            column(
                "from_decile",
                "tile in the parent; NULL for customers without one there (new)",
            ),
            column(
                "to_decile",
                "tile now; NULL for customers without one now (left)",
            ),
            column("customers", "how many"),
            column("share", "of all customers with the same `from_decile`"),
            column(
                "value_before",
                "sum of their values in the parent, each rounded to the minor unit",
            ),
            column(
                "value_after",
                "sum of their values now, each rounded to the minor unit",
            ),
            column(
                "by_behaviour",
                "how many of them moved and would have moved without new parameters",
            ),
            column(
                "by_parameters",
                "how many of them moved and would have stayed without new parameters",
            ),
        ],
        notes: "Outside the snapshot hash, since it depends on the parent. Those who stay are neither by \
                behaviour nor by parameters. Measures have no parameters: their moves are by \
                behaviour. [Decision 20](../decisions/0020-moves-by-behaviour-and-by-parameters.md) \
                defines both, and says what is not compared. A shard that has no customer left at \
                all is not compared.",
    },
    TableMeaning {
        name: "fact_drift",
        about: "Parameters and distributions beside those of the parent snapshot.",
        grain: "parameter; decile, look-back, value of the dimension",
        key: &[
            "kind",
            "measure",
            "lookback",
            "dimension_value",
            "model",
            "parameter",
        ],
        null_in_key: true,
        references: &[to_date("snapshot_date"), to_date("previous_date")],
        columns: &[
            SNAPSHOT_DATE,
            PREVIOUS_DATE,
            column("kind", "`parameter` or `distribution`"),
            MEASURE,
            LOOKBACK,
            DIMENSION,
            DIMENSION_VALUE,
            column("model", "model of the parameter; `spend` is that of spend"),
            column("parameter", "name of the parameter"),
            column(
                "before",
                "value of the parameter, or customers ranked, in the parent",
            ),
            column("after", "the same now"),
            column("change", "`after / before - 1`"),
            column(
                "psi",
                "population stability index: shares of the customers in the bins that the parent's cuts make, then and now, `sum((now - then) * ln(now / then))`; a share below 0.0001 counts as that",
            ),
            column(
                "threshold",
                "`drift.psi` of tenfold.yaml, 0.2 when it is not declared",
            ),
            column(
                "exceeded",
                "whether `psi` is at or above it, with 100 customers or more then and now; the run warns of these",
            ),
        ],
        notes: "Empty in a first snapshot and in a backfill. Outside the snapshot hash.",
    },
    TableMeaning {
        name: "fact_cohort",
        about: "Customers by the month of their first purchase, and what they brought.",
        grain: "month in which somebody purchased first",
        key: &["cohort"],
        null_in_key: false,
        references: &[to_date("snapshot_date"), to_date("cohort")],
        columns: &[
            SNAPSHOT_DATE,
            column("cohort", "first day of the month"),
            column("customers", "how many purchased first in it"),
            column(
                "repeat_customers",
                "those of them with a purchase on another day",
            ),
            column("purchase_days", "days with a purchase, of all of them"),
            column(
                "revenue",
                "sum of the value over all their events before `as_of`, refunds taken off",
            ),
            column(
                "p_alive",
                "mean probability that they are still customers, so the share of them that is expected to be",
            ),
            column("clv_<horizon>", "sum of the CLV of the horizon"),
        ],
        notes: "There when `clv` is declared.",
    },
    TableMeaning {
        name: "fact_cohort_retention",
        about: "How many of a cohort purchased so many months after their first purchase, or later still.",
        grain: "month of first purchases, number of months after them",
        key: &["cohort", "months"],
        null_in_key: false,
        references: &[to_date("snapshot_date"), to_date("cohort")],
        columns: &[
            SNAPSHOT_DATE,
            column("cohort", "first day of the month of the first purchases"),
            column(
                "months",
                "whole months after the first purchase of each customer; after 31 January one month ends on the last day of February",
            ),
            column(
                "customers",
                "those of the cohort whose first purchase is at least so long before the last observed day",
            ),
            column(
                "retained",
                "those of them with a purchase at least so long after their first one",
            ),
        ],
        notes: "There when `clv` is declared. `retained` by `customers` is the retention; it never rises with the months                 while `customers` stays.",
    },
    TableMeaning {
        name: "fact_customers_by_day",
        about: "New customers of each day, and all so far.",
        grain: "day with somebody's first purchase or last one",
        key: &["date"],
        null_in_key: false,
        references: &[to_date("snapshot_date"), to_date("date")],
        columns: &[
            SNAPSHOT_DATE,
            column("date", "the day"),
            column("new_customers", "customers who purchased first on it"),
            column("customers", "customers who purchased on it or before"),
            column("last_seen", "customers who purchased on it and not since"),
        ],
        notes: "There when `clv` is declared. Join it to `dim_date` from the right for days without either.",
    },
    TableMeaning {
        name: "fact_model_quality",
        about: "What each CLV model, fitted up to the holdout's start, predicted for the holdout \
                period, and what happened.",
        grain: "CLV model, purchases before the period",
        key: &["model", "frequency"],
        null_in_key: true,
        references: &[to_date("snapshot_date")],
        columns: &[
            SNAPSHOT_DATE,
            column("model", "the model that was declared"),
            column("used", "the model that could be fitted"),
            column(
                "holdout_days",
                "length of the period, which ends with the last observed day",
            ),
            column(
                "frequency",
                "repeat purchases before the period; 7 stands for 7 and more, NULL for all customers",
            ),
            column("customers", "how many"),
            column("predicted_purchases", "of all of them, in the period"),
            column("actual_purchases", "of all of them, in the period"),
            column(
                "predicted_to_actual",
                "the ratio; NULL when nobody purchased",
            ),
        ],
        notes: "There when `clv` is declared; empty with `holdout: none`.",
    },
    TableMeaning {
        name: "dim_model_parameter",
        about: "Parameters of the CLV models, as they were fitted.",
        grain: "model that was declared, parameter",
        key: &["model", "parameter"],
        null_in_key: false,
        references: &[],
        columns: &[
            column(
                "model",
                "the model that was declared; `spend` for the model of spend",
            ),
            column("used", "the model that could be fitted"),
            column("parameter", "its name, such as `alpha`"),
            column(
                "estimate",
                "its value; times are in the unit that `tenfold params get` says",
            ),
            column(
                "standard_error",
                "of the estimate; NULL where the data do not tell",
            ),
            column("scores", "whether predictions are made with it"),
        ],
        notes: "There when `clv` is declared. How far they moved since the snapshot before is in `fact_drift`.",
    },
    TableMeaning {
        name: "dim_dimension_value",
        about: "Values of the dimensions by which customers are ranked.",
        grain: "dimension, value",
        key: &["dimension", "dimension_value"],
        null_in_key: false,
        references: &[],
        columns: &[
            column(
                "dimension",
                "name of the dimension, such as `loyalty_status`",
            ),
            column(
                "dimension_value",
                "the value; `(none)` stands for events without one",
            ),
        ],
        notes: "There with `customer_decile`. `fact_value_by_decile`, `fact_decile_migration` and `customer_decile` name these values.",
    },
    TableMeaning {
        name: "dim_date",
        about: "The days of the years from the first event to `as_of`.",
        grain: "day",
        key: &["date"],
        null_in_key: false,
        references: &[],
        columns: &[
            column("date", "the day"),
            column("year", "its year"),
            column("quarter", "1 to 4"),
            column("month", "1 to 12"),
            column("month_name", "in English"),
            column("day", "of the month"),
            column("iso_weekday", "1 is Monday"),
            column("weekday_name", "in English"),
            column("is_weekend", "Saturday or Sunday"),
            column("is_month_end", "the last day of its month"),
        ],
        notes: "",
    },
];

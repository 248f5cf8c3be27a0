// What somebody has to declare so that a snapshot has what a widget needs.

const DECLARE: [RegExp, string][] = [
  [/^customer_value\.(decile|quartile|tile)_/, "deciles in tenfold.yaml"],
  [/^fact_(cohort|cohort_retention|customers_by_day)\b/, "clv in tenfold.yaml, and a refresh: snapshots of earlier versions lack it"],
  [/^(customer_value\..*|fact_model_quality.*)$/, "clv in tenfold.yaml, with a holdout for what is compared with what happened"],
  [/^fact_campaign\.(purchasers|revenue|revenue_squares)$/, "a source of kind responses and clv"],
  [/^fact_(campaign|email_event)\b|^dim_campaign\b/, "a source of kind responses"],
  [/^(customer_decile)\b/, "a decile by a dimension"],
  [/^dim_customer\b/, "a source of kind attributes"],
  [/^(audience_|dim_audience|fact_audience)/, "audiences, as files in the folder audiences"],
  [/^fact_(drift|decile_migration|value_by_decile)\b/, "deciles in tenfold.yaml, and a second snapshot"],
];

/** The declaration that makes a table or a column, in words. */
export function toDeclare(need: string): string {
  return DECLARE.find(([pattern]) => pattern.test(need))?.[1] ?? "a table of that name, as SQL in the folder tables";
}

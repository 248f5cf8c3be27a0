---
about: Customers of one tile over the snapshots, and how many more there were each time; the latest of each day
parameters:
  measure: {type: text, default: clv_12m, about: name of a decile without a dimension}
  lookback: {type: text, default: 12m, about: its look-back}
  decile: {type: integer, default: 1, about: the tile}
  since: {type: date, default: 1970-01-01, about: first day}
---
WITH sizes AS (
  SELECT snapshot_date, customers,
         ROW_NUMBER() OVER (PARTITION BY snapshot_date ORDER BY _snapshot DESC) AS age
  FROM changes('fact_value_by_decile', 'earliest', 'latest')
  WHERE _change_type IN ('insert', 'update_postimage')
    AND measure = $measure AND lookback = $lookback AND decile = $decile
    AND dimension_value IS NULL
), trend AS (
  SELECT snapshot_date, customers,
         customers - LAG(customers) OVER (ORDER BY snapshot_date) AS change
  FROM sizes
  WHERE age = 1
)
SELECT snapshot_date, customers, change
FROM trend
WHERE snapshot_date >= $since
ORDER BY snapshot_date

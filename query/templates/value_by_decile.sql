---
about: Customers and value of every tile, and its share of the value
parameters:
  measure: {type: text, default: clv_12m, about: name of the decile}
  lookback: {type: text, default: 12m, about: its look-back}
---
SELECT dimension_value, decile, customers, total, mean,
       CAST(total AS DOUBLE)
         / NULLIF(CAST(SUM(total) OVER (PARTITION BY dimension_value) AS DOUBLE), 0) AS share
FROM fact_value_by_decile
WHERE measure = $measure AND lookback = $lookback
ORDER BY dimension_value, decile

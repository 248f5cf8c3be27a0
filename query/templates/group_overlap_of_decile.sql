---
about: Among the customers of one tile of CLV, those with the one value of a dimension, the other, and both
parameters:
  measure: {type: text, about: "name of a decile by a dimension, such as revenue_by_country"}
  lookback: {type: text, default: 12m, about: its look-back}
  first: {type: text, about: a value of the dimension}
  second: {type: text, about: another one}
  decile: {type: integer, default: 1, about: the tile of CLV over 12 months}
---
SELECT COUNT(*) FILTER (WHERE in_first) AS in_first,
       COUNT(*) FILTER (WHERE in_second) AS in_second,
       COUNT(*) FILTER (WHERE in_first AND in_second) AS in_both
FROM (
  SELECT d.customer,
         BOOL_OR(d.dimension_value = $first) AS in_first,
         BOOL_OR(d.dimension_value = $second) AS in_second
  FROM customer_decile d JOIN customer_value v ON v.customer = d.customer
  WHERE d.measure = $measure AND d.lookback = $lookback AND v.decile_clv_12m = $decile
  GROUP BY d.customer
)

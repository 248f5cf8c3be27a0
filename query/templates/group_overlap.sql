---
about: Customers with the one value of a dimension, with the other, and with both
parameters:
  measure: {type: text, about: "name of a decile by a dimension, such as revenue_by_country"}
  lookback: {type: text, default: 12m, about: its look-back}
  first: {type: text, about: a value of the dimension}
  second: {type: text, about: another one}
---
SELECT COUNT(*) FILTER (WHERE in_first) AS in_first,
       COUNT(*) FILTER (WHERE in_second) AS in_second,
       COUNT(*) FILTER (WHERE in_first AND in_second) AS in_both
FROM (
  SELECT customer,
         BOOL_OR(dimension_value = $first) AS in_first,
         BOOL_OR(dimension_value = $second) AS in_second
  FROM customer_decile
  WHERE measure = $measure AND lookback = $lookback
  GROUP BY customer
)

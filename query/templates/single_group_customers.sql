---
about: Customers with one value of a dimension alone, by that value
parameters:
  measure: {type: text, about: "name of a decile by a dimension, such as revenue_by_country"}
  lookback: {type: text, default: 12m, about: its look-back}
---
SELECT dimension_value, COUNT(*) AS customers
FROM (
  SELECT customer, MIN(dimension_value) AS dimension_value
  FROM customer_decile
  WHERE measure = $measure AND lookback = $lookback
  GROUP BY customer
  HAVING COUNT(*) = 1
)
GROUP BY dimension_value
ORDER BY dimension_value

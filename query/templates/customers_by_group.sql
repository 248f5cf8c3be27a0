---
about: Customers by the value of a dimension, the largest group first
parameters:
  measure: {type: text, about: "name of a decile by a dimension, such as revenue_by_country"}
  lookback: {type: text, default: 12m, about: its look-back}
  limit: {type: integer, default: 20, about: groups}
---
SELECT dimension_value, COUNT(*) AS customers, SUM(total) AS total
FROM customer_decile
WHERE measure = $measure AND lookback = $lookback
GROUP BY dimension_value
ORDER BY customers DESC, dimension_value
LIMIT $limit

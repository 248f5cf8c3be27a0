---
about: Customers of one tile of CLV by the value of a dimension
parameters:
  measure: {type: text, about: "name of a decile by a dimension, such as revenue_by_country"}
  lookback: {type: text, default: 12m, about: its look-back}
  decile: {type: integer, default: 1, about: the tile of CLV over 12 months}
---
SELECT d.dimension_value, COUNT(*) AS customers, SUM(d.total) AS total
FROM customer_decile d JOIN customer_value v ON v.customer = d.customer
WHERE d.measure = $measure AND d.lookback = $lookback AND v.decile_clv_12m = $decile
GROUP BY d.dimension_value
ORDER BY customers DESC, d.dimension_value

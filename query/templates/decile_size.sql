---
about: Customers and value of one tile
parameters:
  measure: {type: text, default: clv_12m, about: name of the decile}
  lookback: {type: text, default: 12m, about: its look-back}
  decile: {type: integer, default: 1, about: the tile}
---
SELECT dimension_value, customers, total
FROM fact_value_by_decile
WHERE measure = $measure AND lookback = $lookback AND decile = $decile
ORDER BY dimension_value

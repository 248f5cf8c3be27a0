---
about: Who went from which tile to which since the snapshot before
parameters:
  measure: {type: text, default: clv_12m, about: name of the decile}
  lookback: {type: text, default: 12m, about: its look-back}
---
SELECT dimension_value, from_decile, to_decile, customers, share, by_behaviour, by_parameters
FROM fact_decile_migration
WHERE measure = $measure AND lookback = $lookback
ORDER BY dimension_value, from_decile NULLS LAST, to_decile NULLS LAST

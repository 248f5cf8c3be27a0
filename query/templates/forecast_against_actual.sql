---
about: What each CLV model predicted for the holdout period, and what happened
parameters:
  model: {type: text, default: "", about: one model; all when left out}
---
SELECT model, used, holdout_days, frequency, customers,
       predicted_purchases, actual_purchases, predicted_to_actual
FROM fact_model_quality
WHERE $model = '' OR model = $model
ORDER BY model, frequency NULLS LAST

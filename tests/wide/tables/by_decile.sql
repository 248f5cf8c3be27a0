/*
description: An inner join, and aggregates that give the same in any order. Its engine is named in its head.
keys: [region, decile]
engine: ballista
tests:
  - expression: "customers > 0"
*/
SELECT d.dimension_value AS region, d.decile, count(*) AS customers, sum(v.revenue_lifetime) AS revenue,
       avg(CAST(v.frequency AS DECIMAL(12, 2))) AS frequency, avg(v.revenue_lifetime) AS mean, max(v.clv_12m) AS most,
       min(v.first_purchase) AS first, count(DISTINCT v.decile_clv_12m) AS deciles,
       count(*) FILTER (WHERE v.frequency = 0) AS once, bool_or(v.revenue_1m > 0) AS recent
FROM customer_value v JOIN customer_decile d ON d.customer = v.customer
WHERE d.measure = 'revenue_by_region' AND d.lookback = 'lifetime'
GROUP BY d.dimension_value, d.decile

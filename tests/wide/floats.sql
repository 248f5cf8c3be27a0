/*
keys: [decile]
engine: ballista
*/
SELECT decile_clv_12m AS decile,
       sum(clv_12m) AS clv
FROM customer_value
WHERE decile_clv_12m IS NOT NULL
GROUP BY decile_clv_12m

/*
description: Unions with and without repetitions, and a distinct count of what they give.
keys: [decile, source]
*/
WITH both AS (
    SELECT decile_clv_12m AS decile, 'clv' AS source, customer FROM customer_value WHERE decile_clv_12m IS NOT NULL
    UNION ALL
    SELECT decile_revenue_lifetime, 'revenue', customer FROM customer_value
    UNION ALL
    SELECT decile_revenue_lifetime, 'revenue', customer FROM customer_value WHERE customer % 2 = 0
),
once AS (
    SELECT decile, source FROM both UNION SELECT decile, 'all' FROM both
)
SELECT o.decile, o.source, count(*) AS lines, count(DISTINCT b.customer) AS customers
FROM once o JOIN both b ON b.decile = o.decile AND (b.source = o.source OR o.source = 'all')
WHERE o.decile IS NOT NULL
GROUP BY o.decile, o.source

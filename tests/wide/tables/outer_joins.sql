/*
description: Left, right and full joins, with rows on each side that find nothing.
keys: [kind, customer, region]
*/
WITH north AS (
    SELECT customer, dimension_value AS region, total FROM customer_decile
    WHERE measure = 'revenue_by_region' AND lookback = '3m' AND dimension_value = 'north'
),
south AS (
    SELECT customer, dimension_value AS region, total FROM customer_decile
    WHERE measure = 'revenue_by_region' AND lookback = '3m' AND dimension_value = 'south'
)
SELECT 'left' AS kind, v.customer, COALESCE(n.region, '-') AS region, v.clv_12m AS clv, n.total
FROM customer_value v LEFT JOIN north n ON n.customer = v.customer AND n.total > 20
UNION ALL
SELECT 'right', v.customer, COALESCE(n.region, '-'), v.clv_12m, n.total
FROM north n RIGHT JOIN customer_value v ON n.customer = v.customer
UNION ALL
SELECT 'full', COALESCE(n.customer, s.customer), COALESCE(n.region, '') || '+' || COALESCE(s.region, ''), NULL,
       COALESCE(n.total, 0) - COALESCE(s.total, 0)
FROM north n FULL JOIN south s ON s.customer = n.customer

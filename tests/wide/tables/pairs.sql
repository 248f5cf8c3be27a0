/*
description: Joins without an equality, and the ten whose order is decided.
keys: [kind, customer, other]
*/
WITH few AS (SELECT customer, revenue_lifetime FROM customer_value WHERE customer % 19 = 0)
SELECT 'inner' AS kind, a.customer, b.customer AS other FROM few a JOIN few b
ON a.customer < b.customer AND a.revenue_lifetime > b.revenue_lifetime * 8
UNION ALL
SELECT 'left', a.customer, COALESCE(b.customer, -1) FROM few a LEFT JOIN few b
ON a.customer > b.customer + 1000 AND a.revenue_lifetime > b.revenue_lifetime
UNION ALL
SELECT 'most', customer, -1 FROM (
    SELECT customer FROM customer_value ORDER BY revenue_lifetime DESC, customer LIMIT 10
)

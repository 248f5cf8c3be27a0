/*
description: Scalar subqueries, with and without a link to the row.
keys: [customer]
*/
SELECT v.customer, v.revenue_lifetime,
       (SELECT max(revenue_lifetime) FROM customer_value) - v.revenue_lifetime AS behind,
       (SELECT count(*) FROM customer_decile d WHERE d.customer = v.customer AND d.decile <= 3) AS high
FROM customer_value v
WHERE v.revenue_lifetime > (SELECT avg(revenue_lifetime) FROM customer_value)

/*
description: One that says that it is local, as sums of floating-point numbers have to be.
keys: [first]
engine: local
*/
SELECT date_trunc('month', first_purchase) AS first, sum(clv_12m) AS clv FROM customer_value
WHERE first_purchase IS NOT NULL
GROUP BY 1

/*
description: Long enough to be interrupted. Its third stage tries many pairs; the two before it shuffle what it reads.
keys: [customer]
*/
WITH one AS (SELECT customer, customer % 16 AS bucket, events FROM customer_value)
SELECT a.customer, count(*) AS pairs, sum(b.events) AS events,
       max(hash63(concat(a.customer, ':', b.customer))) AS most
FROM one a JOIN one b ON a.bucket = b.bucket AND hash63(concat(a.customer, '-', b.customer)) % 3 = 0
GROUP BY a.customer

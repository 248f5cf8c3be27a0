/*
description: Reads tables of its kind, a view over one of them, and a table that is computed locally.
keys: [tenth, first]
*/
SELECT m.tenth, l.first, count(*) AS customers, sum(m.third) AS third, max(r.place) AS place,
       (SELECT count(*) FROM against_all) AS above
FROM middle m
JOIN ranked r ON r.customer = m.customer
JOIN by_month l ON l.first = date_trunc('month', r.first_purchase)
GROUP BY m.tenth, l.first
HAVING count(*) > 1

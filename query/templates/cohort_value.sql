---
about: What customers who began in the same month brought so far and are expected to bring
parameters:
  since: {type: date, default: 1970-01-01, about: first day of the first cohort}
---
SELECT d.year, d.month, COUNT(*) AS customers,
       SUM(v.revenue_lifetime) AS revenue, SUM(v.clv_12m) AS clv_12m,
       COUNT(*) FILTER (WHERE v.purchase_days > 1) AS repeat_buyers
FROM customer_value v JOIN dim_date d ON d.date = v.first_purchase
WHERE v.first_purchase >= $since
GROUP BY d.year, d.month
ORDER BY d.year, d.month

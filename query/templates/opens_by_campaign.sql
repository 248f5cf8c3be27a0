---
about: Opens of each campaign, by people and by machines, and the share of its customers who opened
parameters: {}
---
SELECT campaign, SUM(sent) AS sent, SUM(delivered) AS delivered, SUM(opens) AS opens,
       SUM(machine_opens) AS machine_opens, SUM(openers) AS openers,
       CAST(SUM(openers) AS DOUBLE)
         / NULLIF(SUM(customers) FILTER (WHERE holdout IS DISTINCT FROM 'control'), 0) AS open_rate
FROM fact_campaign
GROUP BY campaign
ORDER BY campaign

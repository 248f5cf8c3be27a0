---
about: Opens by campaign and by the decile that customers were in at the send
parameters:
  campaign: {type: text, default: "", about: "one campaign; all when empty"}
---
SELECT campaign, decile, SUM(sent) AS sent, SUM(opens) AS opens,
       SUM(machine_opens) AS machine_opens, SUM(openers) AS openers,
       CAST(SUM(openers) AS DOUBLE)
         / NULLIF(SUM(customers) FILTER (WHERE holdout IS DISTINCT FROM 'control'), 0) AS open_rate
FROM fact_campaign
WHERE $campaign = '' OR campaign = $campaign
GROUP BY campaign, decile
ORDER BY campaign, decile

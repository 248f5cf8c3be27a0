---
about: Opens by people, of each campaign and day
parameters:
  campaign: {type: text, default: "", about: "one campaign; all when empty"}
---
SELECT campaign, day, COUNT(*) AS opens, COUNT(DISTINCT customer) AS openers
FROM fact_email_event
WHERE type = 'open' AND NOT machine AND ($campaign = '' OR campaign = $campaign)
GROUP BY campaign, day
ORDER BY campaign, day

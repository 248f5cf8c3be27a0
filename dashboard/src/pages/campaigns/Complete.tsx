// Whether all purchases that count for a campaign are known, as a word in its colour.

import type { Campaign } from "./api.ts";

export function Complete({ campaign }: { campaign: Campaign }) {
  if (campaign.is_complete === null) return <span class="badge">no sends</span>;
  return campaign.is_complete ? (
    <span class="badge good">complete</span>
  ) : (
    <span class="badge warn">purchases still count</span>
  );
}

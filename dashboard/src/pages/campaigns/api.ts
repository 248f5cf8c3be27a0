// What the server says of campaigns.

import { get, withQuery } from "../../api/api.ts";

export interface Campaign {
  campaign: string;
  first_sent: string | null;
  last_sent: string | null;
  last_event: string | null;
  deliveries: number;
  customers: number;
  sent: number;
  opens: number;
  clicks: number;
  window_ends: string | null;
  is_complete: boolean | null;
}

export interface Interval {
  value: number;
  low: number;
  high: number;
}

export interface Difference {
  /** Of those who were written to. */
  first: number;
  /** Of those who were held out. */
  second: number;
  difference: { low: number; high: number; value: number };
}

export interface Line {
  /** An audience, a decile or a group; null for the whole, and for sends that said none. */
  group: string | number | null;
  customers: number;
  control: number;
  sent: number;
  delivered: number;
  bounces: number;
  opens: number;
  machine_opens: number;
  openers: number;
  clicks: number;
  machine_clicks: number;
  clickers: number;
  unsubscribes: number;
  complaints: number;
  purchasers: number | null;
  revenue: number | null;
  rates: Record<"delivery" | "open" | "click" | "conversion", Interval | null>;
  uplift: Record<"conversion" | "revenue", Difference | null>;
}

export const BY = ["campaign", "audience", "decile", "holdout"] as const;
export type By = (typeof BY)[number];

const pathOf = (name: string) => `/v1/campaigns/${encodeURIComponent(name)}`;

export async function listCampaigns(at: string | null, signal: AbortSignal): Promise<Campaign[]> {
  return (await get<{ campaigns: Campaign[] }>(withQuery("/v1/campaigns", { at }), { signal })).campaigns;
}

export function getCampaign(name: string, at: string | null, signal: AbortSignal): Promise<Campaign> {
  return get(withQuery(pathOf(name), { at }), { signal });
}

export async function getReport(name: string, by: By, at: string | null, signal: AbortSignal): Promise<Line[]> {
  return (await get<{ lines: Line[] }>(withQuery(`${pathOf(name)}/report`, { at, by }), { signal })).lines;
}

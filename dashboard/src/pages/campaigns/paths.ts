// Addresses of the pages about campaigns.

export function campaignPath(name: string): string {
  return `/campaigns/${encodeURIComponent(name)}`;
}

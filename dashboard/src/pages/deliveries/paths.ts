// Addresses of the pages about deliveries.

export function deliveryPath(name: string): string {
  return `/deliveries/${encodeURIComponent(name)}`;
}

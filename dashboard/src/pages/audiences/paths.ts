// Addresses of the pages about audiences and customers.

export function audiencePath(name: string): string {
  return `/audiences/${encodeURIComponent(name)}`;
}

export function editPath(name: string): string {
  return `${audiencePath(name)}/edit`;
}

export function customerPath(key: string): string {
  return `/customers/${encodeURIComponent(key)}`;
}

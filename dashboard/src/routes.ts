// Every page: its path, with `:name` for a part that varies, its place in the navigation, and where its code is.
// Code of a page is loaded when it is first shown. The first path that fits is taken.
import type { ComponentType } from "preact";

export interface PageProps {
  /** The parts of the path that vary. */
  parts: Record<string, string>;
}

export interface Route {
  path: string;
  title: string;
  /** Shown in the navigation, under this name. */
  nav?: string;
  /** The page of the navigation that it belongs to, where its path does not say so. */
  under?: string;
  load: () => Promise<{ default: ComponentType<PageProps> }>;
}

export const ROUTES: Route[] = [
  { path: "/boards", title: "Dashboards", nav: "Dashboards", load: () => import("./pages/boards/BoardsPage.tsx") },
  { path: "/boards/:name", title: "Dashboard", load: () => import("./pages/boards/BoardPage.tsx") },
  { path: "/compose/:name", title: "Composer", under: "/boards", load: () => import("./pages/compose/ComposePage.tsx") },
  { path: "/tables", title: "Tables", nav: "Tables", load: () => import("./pages/tables/TablesPage.tsx") },
  { path: "/tables/:table", title: "Table", load: () => import("./pages/tables/TablesPage.tsx") },
  { path: "/audiences", title: "Audiences", nav: "Audiences", load: () => import("./pages/audiences/AudiencesPage.tsx") },
  { path: "/audiences/new", title: "New audience", load: () => import("./pages/audiences/BuilderPage.tsx") },
  { path: "/audiences/:name", title: "Audience", load: () => import("./pages/audiences/AudiencePage.tsx") },
  { path: "/audiences/:name/edit", title: "Edit an audience", load: () => import("./pages/audiences/BuilderPage.tsx") },
  { path: "/customers", title: "Customers", nav: "Customers", load: () => import("./pages/customer/CustomersPage.tsx") },
  { path: "/customers/:key", title: "Customer", load: () => import("./pages/customer/CustomerPage.tsx") },
  { path: "/campaigns", title: "Campaigns", nav: "Campaigns", load: () => import("./pages/campaigns/CampaignsPage.tsx") },
  { path: "/campaigns/:campaign", title: "Campaign", load: () => import("./pages/campaigns/CampaignPage.tsx") },
  { path: "/deliveries", title: "Deliveries", under: "/campaigns", load: () => import("./pages/deliveries/DeliveriesPage.tsx") },
  { path: "/deliveries/:delivery", title: "Delivery", under: "/campaigns", load: () => import("./pages/deliveries/DeliveryPage.tsx") },
  { path: "/operations", title: "Operations", nav: "Operations", load: () => import("./pages/operations/OverviewPage.tsx") },
  { path: "/runs", title: "Runs", under: "/operations", load: () => import("./pages/operations/RunsPage.tsx") },
  { path: "/runs/:run", title: "Run", under: "/operations", load: () => import("./pages/operations/RunPage.tsx") },
  { path: "/schedules", title: "Schedules", under: "/operations", load: () => import("./pages/operations/SchedulesPage.tsx") },
  { path: "/schedules/:schedule", title: "Schedule", under: "/operations", load: () => import("./pages/operations/SchedulePage.tsx") },
  { path: "/backfills", title: "Backfills", under: "/operations", load: () => import("./pages/operations/BackfillsPage.tsx") },
  { path: "/backfills/:backfill", title: "Backfill", under: "/operations", load: () => import("./pages/operations/BackfillPage.tsx") },
  { path: "/workers", title: "Workers", under: "/operations", load: () => import("./pages/operations/WorkersPage.tsx") },
  { path: "/snapshots", title: "Snapshots", under: "/operations", load: () => import("./pages/operations/SnapshotsPage.tsx") },
];

/** Where `#/` leads. */
export const HOME = "/boards";

export interface Found {
  route: Route;
  parts: Record<string, string>;
}

export function findRoute(path: string, routes: Route[] = ROUTES): Found | null {
  const given = path.split("/").filter((part) => part !== "");
  for (const route of routes) {
    const asked = route.path.split("/").filter((part) => part !== "");
    if (asked.length !== given.length) continue;
    const parts: Record<string, string> = {};
    const fits = asked.every((part, index) => {
      const text = given[index] as string;
      if (!part.startsWith(":")) return part === text;
      parts[part.slice(1)] = decoded(text);
      return true;
    });
    if (fits) return { route, parts };
  }
  return null;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
